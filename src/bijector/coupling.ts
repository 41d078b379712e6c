/**
 * Coupling layers (Dinh et al. 2014, 2016): the kept part conditions how the other part changes, so the Jacobian is
 * triangular (Eq. 10) and both directions cost one pass of the net. A {@link Transformer} says how it changes.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { identity, pipe } from 'fp-ts/lib/function.js'
import type { ShapeError, ShapeFn } from '../../types/shape.js'
import type { Net } from '../nn/net.js'
import { add, exp, mul, neg, scale, slice, sub, sumEvent, tanh, zeroPerExample } from '../tensor/ops.js'
import { oneOf } from '../tensor/options.js'
import { branch, constant, type ParamsOf, type Spec } from '../tensor/params.js'
import type { PerExample } from '../tensor/tensor.js'
import { expectKind } from './arguments.js'
import { withContext } from './context.js'
import { fromRunsGiven } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import type { Mask, Split, Value } from './mask.js'
import { withOptions } from './options.js'
import type { Run } from './runs.js'

/** `unknown` if mask and net are over the same kind of events (images or vectors), else the error. */
export type Serves<K, N> = K extends N
  ? unknown
  : ShapeError<`coupling: expected a net over ${K & string}s for this mask, got one over ${N & string}s`>

/** An elementwise bijection at given parameters: values, and the log-det of each example. */
export interface Elementwise {
  readonly forward: (x: Value) => readonly [y: Value, logDet: PerExample]
  readonly inverse: (y: Value) => readonly [x: Value, logDet: PerExample]
}

/** A family of elementwise bijections with parameters from a net: how a coupling changes the part it does not keep. */
export interface Transformer<S extends Spec> {
  readonly name: string
  /** How many outputs of the net each variable takes. With all of them 0 the bijection should be the identity. */
  readonly width: number
  /** Parameters in addition to those of the net, for this many channels. */
  readonly spec: (channels: number) => S
  /**
   * The bijection at these parameters and at θ, the output of the net, whose last axis has `width` times the channels.
   * It must project each term that it adds to values or log-dets, so that kept positions stay 0.
   */
  readonly at: (params: ParamsOf<S>, theta: Value, split: Split) => Elementwise
}

/**
 * The coupling of a transformer g with parameters θ from the net, on the masked part.
 *
 * - Forward: y = b⊙x + (1−b)⊙g(x; θ(b⊙x))
 * - Forward log-det: Σ (1−b)⊙log |g′(x; θ)|
 * - Inverse: x = b⊙y + (1−b)⊙g⁻¹(y; θ(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙log |g′(x; θ)|
 *
 * In a conditional flow, the net sees the context c as well: θ(b⊙x, c).
 *
 * @example
 * const shift = couplingOf({
 *   name: 'shift',
 *   width: 1, // outputs of the net for each variable
 *   spec: () => ({}),
 *   at: (_, theta, { project }) => ({
 *     forward: (x) => [T.add(project(theta))(x), T.zeroPerExample(x)],
 *     inverse: (y) => [T.sub(project(theta))(y), T.zeroPerExample(y)],
 *   }),
 * })
 * compose(input([2]), shift(halves(), mlp()))
 */
export const couplingOf =
  <S extends Spec>({ name, width, spec, at }: Transformer<S>) =>
  <F extends ShapeFn, K extends 'image' | 'vector', N extends 'image' | 'vector'>(
    mask: Mask<F, K>,
    net: Net<N> & Serves<K, N>,
  ): Layer<F> => {
    expectKind(name, 'a mask', mask, ['a mask'], 'pass the mask first, then the net')
    expectKind(name, 'a net', net, ['a net'], 'pass the mask first, then the net')
    return layer<F>(name, (shape, given) =>
      pipe(
        mask.at(shape),
        E.bindTo('split'),
        E.let('seen', ({ split: { kept } }) => withContext(kept, given)),
        E.bind('module', ({ seen, split: { changed } }) =>
          net.at(seen.shape, [...changed.slice(0, -1), changed.at(-1)! * width]),
        ),
        E.map(({ split, seen, module }) => {
          const through =
            (direction: keyof Elementwise, trains: boolean): Run =>
            ({ params, values: [x], given }) => {
              const [kept, changed] = split.split(x!)
              const [theta, net] = module.run(branch(params, 'net'), seen.join(kept, given), trains)
              const [y, logDet] = at(params as ParamsOf<S>, theta, split)[direction](changed)
              return { values: [split.merge(kept, y)], logDet, params: { ...params, net } }
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
    )
  }

/** Affine change x⊙exp(s) + t: s is a function of the first half of θ, t is the second half. */
const affineBy = <S extends Spec>(
  spec: Transformer<S>['spec'],
  logScale: (params: ParamsOf<S>) => (theta: Value) => Value,
): Transformer<S> => ({
  name: 'coupling',
  width: 2,
  spec,
  at: (params, theta, { changed, project }) => {
    const channels = changed.at(-1)!
    const s: Value = pipe(slice(0, channels)(theta), logScale(params), project)
    const t = project(slice(channels, channels)(theta))
    return {
      forward: (x) => [pipe(x, mul(exp(s)), add(t)), sumEvent(s)],
      inverse: (y) => [pipe(y, sub(t), mul(exp(neg(s)))), neg(sumEvent(s))],
    }
  },
})

const logScales = {
  tanh: couplingOf(
    affineBy(
      (channels) => ({ scale: constant([channels], 1, 'scale') }),
      (params) => (theta) => pipe(theta, tanh, scale(params.scale)),
    ),
  ),
  free: couplingOf(
    affineBy(
      () => ({}),
      () => identity,
    ),
  ),
}

export interface CouplingOptions {
  /**
   * How s follows from the net's output a. `tanh`: s = scale·tanh(a), with a learned scale for each channel, which the L2
   * term of the loss keeps small. `free`: s = a, without a bound. Default: `tanh`
   */
  readonly logScale?: 'tanh' | 'free'
}

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
 */
export const coupling = <F extends ShapeFn, K extends 'image' | 'vector', N extends 'image' | 'vector'>(
  mask: Mask<F, K>,
  net: Net<N> & Serves<K, N>,
  { logScale = 'tanh' }: CouplingOptions = {},
): Layer<F> =>
  withOptions('coupling', [oneOf('logScale', logScale, Object.keys(logScales))], () => logScales[logScale](mask, net))

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
export const additiveCoupling = couplingOf({
  name: 'additiveCoupling',
  width: 1,
  spec: () => ({}),
  at: (_, theta, { project }) => {
    const t = project(theta)
    return {
      forward: (x) => [add(t)(x), zeroPerExample(x)],
      inverse: (y) => [sub(t)(y), zeroPerExample(y)],
    }
  },
})
