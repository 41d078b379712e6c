/**
 * Coupling layers (Dinh et al. 2014, 2016): the kept part conditions how the other part changes, so the Jacobian is
 * triangular (Eq. 10) and both directions cost one pass of the net. A {@link Transformer} is the function that changes it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { OnlyMask, Serves } from '../../types/check.js'
import type { ShapeFn } from '../../types/shape.js'
import { defaultNet } from '../nn/default.js'
import type { Net } from '../nn/net.js'
import { slice } from '../tensor/ops.js'
import { branch, type ParamsOf, type Spec } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { unwrap } from '../tensor/tensor.js'
import { expectKind } from './arguments.js'
import { withContext } from './context.js'
import { fromRunsGiven } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import type { Mask, Split, Value } from './mask.js'
import { withOptions } from './options.js'
import { between, type Run } from './runs.js'
import { REALS } from './support.js'
import type { Elementwise, Theta, Transformer } from './transformer.js'
import { type AffineOptions, additive, affine } from './transformers/affine.js'
import { type SplineOptions, spline } from './transformers/spline.js'

/** The shape function of a coupling over a mask. */
export type FitsOf<M> = [M] extends [{ readonly _fits: infer F extends ShapeFn }] ? F : never

/** The output of the net, whose last axis has `width` times the channels of the part that changes. */
const thetaOf = (output: Value, width: number, { changed, project }: Split): Theta => {
  const channels = changed.at(-1)!
  return {
    numbers: () => Array.from({ length: width }, (_, i) => slice(i * channels, channels)(output)),
    rows: () => tf.reshape(unwrap(output), [-1, product(changed), width]),
    project,
  }
}

const over = <F extends ShapeFn, S extends Spec>(
  name: string,
  { options = [], width, support = REALS, range = REALS, spec, at }: Transformer<S>,
  checkedMask: unknown,
  checkedNet: unknown,
): Layer<F> => {
  // what `OnlyMask` and `Serves` accept
  const mask = checkedMask as Mask<F, 'image' | 'vector'>
  const net = checkedNet as Net<'image' | 'vector'> | undefined
  expectKind(name, 'a mask', mask, ['a mask'], 'pass the mask first, then the net')
  if (net !== undefined) expectKind(name, 'a net', net, ['a net'], 'pass the mask first, then the net')
  const conditioner = net ?? defaultNet(mask.kind)
  // what the mask keeps may be any numbers, so the bijector as a whole has no support
  const within = (direction: keyof Elementwise, run: Run): Run =>
    direction === 'forward' ? between(support, range, run) : between(range, support, run)
  return withOptions(name, options, () =>
    layer<F>(name, (shape, given) =>
      pipe(
        mask.at(shape),
        E.bindTo('split'),
        E.let('seen', ({ split: { kept } }) => withContext(kept, given)),
        E.bind('module', ({ seen, split: { changed } }) =>
          conditioner.at(seen.shape, [...changed.slice(0, -1), changed.at(-1)! * width], seen.context),
        ),
        E.map(({ split, seen, module }) => {
          const through =
            (direction: keyof Elementwise, trains: boolean): Run =>
            ({ params, values: [x], given }) => {
              const [kept, changed] = split.split(x!)
              const [output, net] = module.run(branch(params, 'net'), seen.join(kept, given), trains)
              const { values, logDet } = within(direction, ({ values: [v] }) => {
                const [y, logDet] = at(params as ParamsOf<S>, thetaOf(output, width, split))[direction](v!)
                return { values: [y], logDet, params }
              })({ params, values: [changed] })
              return { values: [split.merge(kept, values[0]!)], logDet, params: { ...params, net } }
            }
          return fromRunsGiven(given, {
            name,
            domain: shape,
            codomain: shape,
            spec: { net: module.spec, ...spec(split.changed.at(-1)!) },
            forward: through('forward', false),
            inverse: through('inverse', false),
            train: through('forward', true),
          })
        }),
      ),
    ),
  )
}

/**
 * The coupling of a transformer g with parameters θ from the net, on the masked part.
 *
 * - Forward: y = b⊙x + (1−b)⊙g(x; θ(b⊙x))
 * - Forward log-det: Σ (1−b)⊙log |g′(x; θ)|
 * - Inverse: x = b⊙y + (1−b)⊙g⁻¹(y; θ(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙log |g′(x; θ)|
 *
 * In a conditional flow, the net sees the context c as well: θ(b⊙x, c). Default net: {@link defaultNet}.
 *
 * @example
 * const shift = couplingOf({
 *   name: 'shift',
 *   width: 1, // numbers for each variable
 *   spec: () => ({}),
 *   at: (_, { numbers, project }) => {
 *     const [t] = numbers().map(project)
 *     return {
 *       forward: (x) => [T.add(t!)(x), T.zeroPerExample(x)],
 *       inverse: (y) => [T.sub(t!)(y), T.zeroPerExample(y)],
 *     }
 *   },
 * })
 * compose(input([2]), shift(halves(), mlp()))
 */
export const couplingOf =
  <S extends Spec>(transformer: Transformer<S>) =>
  <M, N>(mask: OnlyMask<M> & M, net?: Serves<M, N> & N): Layer<FitsOf<M>> =>
    over(`${transformer.name}Coupling`, transformer, mask, net)

/**
 * Affine coupling (Eqs. 8–12). By default s = scale·tanh(·), bounded by a learned scale for each channel.
 *
 * - Forward: y = b⊙x + (1−b)⊙(x⊙exp(s(b⊙x)) + t(b⊙x))
 * - Forward log-det: Σ (1−b)⊙s(b⊙x)
 * - Inverse: x = b⊙y + (1−b)⊙(y − t(b⊙y))⊙exp(−s(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙s(b⊙y)
 *
 * @example
 * compose(input([2]), coupling(halves(), mlp()), coupling(halves('second'), mlp()))
 * @example
 * compose(input([32, 32, 3]), coupling(checkerboard()), squeeze, coupling(channelwise())) // with default nets
 */
export const coupling = <M, N>(
  mask: OnlyMask<M> & M,
  net?: Serves<M, N> & N,
  options?: AffineOptions,
): Layer<FitsOf<M>> => over('coupling', affine(options), mask, net)

/**
 * Additive coupling (NICE, Dinh et al. 2014): affine coupling with s = 0, so it preserves volume.
 *
 * - Forward: y = b⊙x + (1−b)⊙(x + t(b⊙x))
 * - Forward log-det: 0
 * - Inverse: x = b⊙y + (1−b)⊙(y − t(b⊙y))
 * - Inverse log-det: 0
 *
 * @example compose(input([2]), additiveCoupling(halves(), mlp()), additiveCoupling(halves('second'), mlp()))
 */
export const additiveCoupling = couplingOf(additive())

/**
 * Rational-quadratic spline coupling (Durkan et al. 2019): g is a monotonic spline on [−B, B] and the identity outside.
 *
 * - Forward: y = b⊙x + (1−b)⊙g(x; θ(b⊙x))
 * - Forward log-det: Σ (1−b)⊙log g′(x; θ)
 * - Inverse: x = b⊙y + (1−b)⊙g⁻¹(y; θ(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙log g′(x; θ)
 *
 * @example
 * compose(input([2]), splineCoupling(halves(), mlp()), splineCoupling(halves('second'), mlp(), { bins: 16 }))
 */
export const splineCoupling = <M, N>(
  mask: OnlyMask<M> & M,
  net?: Serves<M, N> & N,
  options?: SplineOptions,
): Layer<FitsOf<M>> => over('splineCoupling', spline(options), mask, net)
