/**
 * Coupling layers (Dinh et al. 2014, 2016): the kept part conditions how the other part changes, so the Jacobian is
 * triangular (Eq. 10) and both directions cost one pass of the net. How it changes is a {@link Transformer}.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { identity, pipe } from 'fp-ts/lib/function.js'
import type { ShapeError, ShapeFn } from '../../types/shape.js'
import type { Net } from '../nn/net.js'
import { add, exp, mul, neg, scale, slice, sub, sumEvent, tanh, zeroPerExample } from '../tensor/ops.js'
import { constant, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import type { PerExample } from '../tensor/tensor.js'
import { bijector, type Layer, layer } from './layer.js'
import type { Mask, Split, Value } from './mask.js'

/** Nothing if the net is over what the mask is over, else a sentence. */
export type Serves<K, N> = K extends N
  ? unknown
  : ShapeError<`coupling: expected a net over ${K & string}s for this mask, got one over ${N & string}s`>

/** An elementwise bijection at given parameters: values, and the log-det of each example. */
export interface Elementwise {
  readonly forward: (x: Value) => readonly [y: Value, logDet: PerExample]
  readonly inverse: (y: Value) => readonly [x: Value, logDet: PerExample]
}

/** A family of elementwise bijections whose parameters a net answers: how a coupling changes what it does not keep. */
export interface Transformer<S extends Spec> {
  readonly name: string
  /** How many numbers of the net each variable takes; all zero should mean the identity. */
  readonly width: number
  /** Parameters of its own, for so many channels. */
  readonly spec: (channels: number) => S
  /**
   * Of its own parameters and what the net answers, `width` times the channels in the last axis. What it adds to values
   * and log-dets is projected, so that kept positions stay 0.
   */
  readonly at: (own: ParamsOf<S>, answer: Value, split: Split) => Elementwise
}

/**
 * The coupling of a transformer g with parameters θ from the net, on the masked part.
 *
 * - Forward: y = b⊙x + (1−b)⊙g(x; θ(b⊙x))
 * - Forward log-det: Σ (1−b)⊙log |g′(x; θ)|
 * - Inverse: x = b⊙y + (1−b)⊙g⁻¹(y; θ(b⊙y))
 * - Inverse log-det: −Σ (1−b)⊙log |g′(x; θ)|
 *
 * @example
 * const shift = couplingOf({
 *   name: 'shift',
 *   width: 1, // numbers of the net for each variable
 *   spec: () => ({}),
 *   at: (_, answer, { project }) => ({
 *     forward: (x) => [T.add(project(answer))(x), T.zeroPerExample(x)],
 *     inverse: (y) => [T.sub(project(answer))(y), T.zeroPerExample(y)],
 *   }),
 * })
 * compose(input([2]), shift(halves(), mlp()))
 */
export const couplingOf =
  <S extends Spec>({ name, width, spec, at }: Transformer<S>) =>
  <F extends ShapeFn, K extends 'image' | 'vector', N extends 'image' | 'vector'>(
    mask: Mask<F, K>,
    net: Net<N> & Serves<K, N>,
  ): Layer<F> =>
    layer<F>(name, (shape) =>
      pipe(
        mask.at(shape),
        E.bindTo('split'),
        E.bind('module', ({ split: { kept, changed } }) =>
          net.at(kept, [...changed.slice(0, -1), changed.at(-1)! * width]),
        ),
        E.map(({ split, module }) => {
          const through = (
            direction: keyof Elementwise,
            params: { readonly net: Params } & ParamsOf<S>,
            x: Value,
            train = false,
          ) => {
            const [kept, changed] = split.split(x)
            const [answer, next] = module.run(params.net, kept, train)
            const [y, logDet] = at(params, answer, split)[direction](changed)
            return [split.merge(kept, y), logDet, { ...params, net: next }] as const
          }
          return bijector({
            name,
            domain: shape,
            codomain: shape,
            spec: { net: module.spec, ...spec(split.changed.at(-1)!) },
            forward: (params, x) => through('forward', params as never, x as Value).slice(0, 2) as never,
            train: (params, x) => through('forward', params as never, x as Value, true) as never,
            inverse: (params, y) => through('inverse', params as never, y as Value).slice(0, 2) as never,
          })
        }),
      ),
    )

/** Affine change x⊙exp(s) + t, with s as `logScale` makes it of half of what the net answers. */
const affineBy = <S extends Spec>(
  spec: Transformer<S>['spec'],
  logScale: (own: ParamsOf<S>) => (answer: Value) => Value,
): Transformer<S> => ({
  name: 'coupling',
  width: 2,
  spec,
  at: (own, answer, { changed, project }) => {
    const c = changed.at(-1)!
    const s: Value = pipe(slice(0, c)(answer), logScale(own), project)
    const t = project(slice(c, c)(answer))
    return {
      forward: (x) => [pipe(x, mul(exp(s)), add(t)), sumEvent(s)],
      inverse: (y) => [pipe(y, sub(t), mul(exp(neg(s)))), neg(sumEvent(s))],
    }
  },
})

const affineCoupling = {
  tanh: couplingOf(
    affineBy(
      (c) => ({ scale: constant([c], 1, 'scale') }),
      (own) => (answer) => pipe(answer, tanh, scale(own.scale)),
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
   * What s is of the net's answer a: `tanh` is scale · tanh(a), bounded by a learned scale for each channel, which the
   * L2 term of the loss holds small; `free` is a itself, without bound. Default tanh
   */
  readonly logScale?: 'tanh' | 'free'
}

/**
 * Affine coupling (Eqs. 8–12), with s = scale · tanh(·) bounded by a learned scale per channel unless told.
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
): Layer<F> => affineCoupling[logScale](mask, net)

/**
 * Additive coupling (NICE, Dinh et al. 2014): affine coupling with s = 0, so it keeps volume.
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
  at: (_, answer, { project }) => {
    const t = project(answer)
    return {
      forward: (x) => [add(t)(x), zeroPerExample(x)],
      inverse: (y) => [sub(t)(y), zeroPerExample(y)],
    }
  },
})
