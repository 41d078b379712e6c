/**
 * `Layer<F>`: a family of bijectors, one for each event shape, with the shape function `F`. `Bijector<A, B>`: a layer at
 * one shape, from events of shape `A` to latents of shape `B` (Eq. 17). Parameters are values: `init` creates them,
 * `bind` takes them, `train` returns their next statistics.
 *
 * @module
 */
import type * as E from 'fp-ts/lib/Either.js'
import type { HasShapeFn } from '../../types/check.js'
import type { Exactly, Latents, Shape, ShapeFn } from '../../types/shape.js'
import type { DiffeoError } from '../error.js'
import type { Params, Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import type { BatchOf, PerExample } from '../tensor/tensor.js'
import type { Diffeo } from './diffeo.js'
import { phantom } from './phantom.js'
import type { Runs } from './runs.js'
import type { Interval } from './support.js'

/** A family of bijectors, one for each event shape. */
export interface Layer<F extends ShapeFn> extends HasShapeFn<F> {
  readonly name: string
  /** The bijector at one shape, or the error that says why there is none. */
  readonly at: (shape: Shape) => E.Either<DiffeoError, AnyBijector>
}

/** A value, its log-det in nats, and the parameters with their next statistics. */
export type Trained<B> = readonly [value: B, logDet: PerExample, params: Params]

/** A bijection from events of shape `A` to latents of shape `B`, given parameters. */
export interface Bijector<in out A extends Shape, in out B extends Latents> extends Layer<Exactly<A, B>> {
  readonly domain: A
  readonly codomain: B
  /**
   * The values that each element of an event may have. Outside them the density is 0 and the log-det of `forward` is −∞.
   * A composition has the support of its first layer; later layers may accept fewer values.
   */
  readonly support: Interval
  /** The values that each element of the latents may have. Outside them the log-det of `inverse` is −∞. */
  readonly range: Interval
  /** The names, shapes and roles of its parameters. */
  readonly spec: Spec
  /** The bijectors of a composition, in the order in which data flows; none in `input`. */
  readonly parts?: readonly AnyBijector[]
  readonly init: (key: Key) => Params
  readonly bind: (params: Params) => Diffeo<BatchOf<A>, BatchOf<B>>
  /** `forward` with batch statistics; returns the parameters with their next statistics. */
  readonly train: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Sets the parameters that depend on the first batch, once (ActNorm); the others stay as they are. */
  readonly start: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
  /** The same four functions on lists of tensors, for combinators. They trust the parameters. */
  readonly runs: Runs
}
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyBijector = Bijector<any, any>

/**
 * A layer from its rule: the bijector at each event shape, or the error that says why there is none.
 *
 * @example
 * const negate = layer<Same>('negate', (shape) =>
 *   E.right(
 *     bijector({ name: 'negate', domain: shape, codomain: shape, spec: {},
 *       forward: (_, x) => [T.neg(x), T.zeroPerExample(x)],
 *       inverse: (_, z) => [T.neg(z), T.zeroPerExample(z)],
 *     }),
 *   ),
 * )
 */
export const layer = <F extends ShapeFn>(
  name: string,
  at: (shape: Shape) => E.Either<DiffeoError, AnyBijector>,
): Layer<F> => ({ _F: phantom(), name, at })
