/**
 * `Layer<F>`: a family of bijectors, one for each event shape, with the shape function `F`. `Bijector<A, B>`: a layer at
 * one shape, from events of shape `A` to latents of shape `B` (Eq. 17). `Conditional<A, C, B>`: a bijector for each
 * context of shape `C`, such as a label or an observation. Parameters are values: `init` creates them, `bind` takes
 * them, `train` returns their next statistics.
 *
 * @module
 */
import type * as E from 'fp-ts/lib/Either.js'
import type { HasShapeFn } from '../../types/check.js'
import type { Exactly, ExactlyGiven, Latents, Shape, ShapeFn } from '../../types/shape.js'
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
  /**
   * The bijector at one shape, or the error that says why there is none. With the shape of a context, layers that use it
   * return a conditional bijector.
   */
  readonly at: AtShape
}
export interface AtShape {
  (shape: Shape): E.Either<DiffeoError, AnyBijector>
  (shape: Shape, given: Shape | undefined): E.Either<DiffeoError, AnyBijector | AnyConditional>
}

/** A value, its log-det in nats, and the parameters with their next statistics. */
export type Trained<B> = readonly [value: B, logDet: PerExample, params: Params]

/** What conditional bijectors and others have in common, besides their shapes. */
interface Described {
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
  readonly parts?: readonly (AnyBijector | AnyConditional)[]
  readonly init: (key: Key) => Params
  /** Both directions and training on lists of tensors, for combinators. They trust the parameters. */
  readonly runs: Runs
}

/** A bijection from events of shape `A` to latents of shape `B`, given parameters. */
export interface Bijector<in out A extends Shape, in out B extends Latents> extends Layer<Exactly<A, B>>, Described {
  readonly domain: A
  readonly codomain: B
  readonly bind: (params: Params) => Diffeo<BatchOf<A>, BatchOf<B>>
  /** `forward` with batch statistics; returns the parameters with their next statistics. */
  readonly train: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Sets the parameters that depend on the first batch, once (ActNorm); the others stay as they are. */
  readonly start: (params: Params) => (x: BatchOf<A>) => Trained<BatchOf<B>>
}
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyBijector = Bijector<any, any>

/**
 * A bijector for each context of shape `C`. All of them share their parameters.
 */
export interface Conditional<in out A extends Shape, in out C extends Shape, in out B extends Latents>
  extends Layer<ExactlyGiven<A, C, B>>,
    Described {
  readonly domain: A
  readonly codomain: B
  /** The shape of one context. */
  readonly context: C
  /**
   * The bijector at a batch of contexts: one for all examples, or one for each.
   *
   * @throws DiffeoException if the contexts have another shape; from the bijector, if there are neither one nor as many as
   *   there are examples
   */
  readonly given: (context: BatchOf<C>) => Bijector<A, B>
}
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyConditional = Conditional<any, any, any>

/** A conditional bijector if there is a context, else a bijector. */
export type Given<A extends Shape, C, B extends Latents> = C extends infer D extends Shape
  ? Conditional<A, D, B>
  : Bijector<A, B>

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
  at: (shape: Shape, given?: Shape) => E.Either<DiffeoError, AnyBijector | AnyConditional>,
): Layer<F> => ({
  _F: phantom(),
  name,
  // no layer returns a conditional bijector unless there is a context
  at: at as AtShape,
})
