/**
 * `bijector({ … })` makes a bijector from two functions. `input` and `on` put layers at a shape.
 *
 * @module
 */
import type { LatentsAt, Refusal } from '../../types/check.js'
import type { Latents, Shape, ShapeFn } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { shapeIn } from '../tensor/numbers.js'
import { zeroPerExample } from '../tensor/ops.js'
import type { Params, ParamsOf, Spec } from '../tensor/params.js'
import { type BatchOf, latentBatch, latentTensors, type PerExample } from '../tensor/tensor.js'
import { layerIn } from './arguments.js'
import { fromRuns } from './from-runs.js'
import type { AnyBijector, Bijector, Layer, Trained } from './layer.js'
import { between, type Run } from './runs.js'
import { type Interval, REALS } from './support.js'

/** What a bijector is made from: two directions and the parameters they take. */
export interface Definition<A extends Shape, B extends Latents, S extends Spec> {
  readonly name: string
  readonly domain: A
  readonly codomain: B
  readonly spec: S
  /**
   * The values that an element of an event may have. Default: all. `forward` sees only values inside: a value outside is
   * moved to the nearest bound, and the log-det of its example becomes −∞.
   */
  readonly support?: Interval
  /** The same for latents and `inverse`. A result of `forward` that rounding put outside is moved back. */
  readonly range?: Interval
  readonly forward: (params: ParamsOf<S>, x: BatchOf<A>) => readonly [value: BatchOf<B>, logDet: PerExample]
  readonly inverse: (params: ParamsOf<S>, z: BatchOf<B>) => readonly [value: BatchOf<A>, logDet: PerExample]
  /** Only for a layer with statistics: `forward` with those of the batch; returns the parameters with their next ones. */
  readonly train?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Only for a layer that depends on the first data. Default: `train`, with the parameters unchanged. */
  readonly start?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
  readonly parts?: readonly AnyBijector[]
}

/**
 * A bijector from its two directions. Their intermediate tensors are freed. Batches and parameters are checked before
 * they reach the two functions.
 *
 * @throws DiffeoException, from the bijector, for a batch of another shape, or for parameters whose names or shapes are
 * not those of the spec
 * @example
 * const double = bijector({
 *   name: 'double', domain: [2], codomain: [2], spec: {},
 *   forward: (_, x) => [T.times(2)(x), T.plus(2 * Math.LN2)(T.zeroPerExample(x))],
 *   inverse: (_, z) => [T.times(0.5)(z), T.plus(-2 * Math.LN2)(T.zeroPerExample(z))],
 * })
 */
export const bijector = <const A extends Shape, const B extends Latents, S extends Spec>(
  d: Definition<A, B, S>,
): Bijector<A, B> => {
  const { domain, codomain, support = REALS, range = REALS, train, start, ...named } = d
  const on =
    <X extends Latents>(
      latents: X,
      f: (params: ParamsOf<S>, value: BatchOf<X>) => readonly [value: unknown, logDet: PerExample, params?: Params],
    ): Run =>
    ({ params, values }) => {
      // `bind` has compared the parameters with the spec
      const [value, logDet, next = params] = f(params as ParamsOf<S>, latentBatch(latents, values))
      return { values: latentTensors(value), logDet, params: next }
    }
  // the layers of a composition check their own supports
  const guard: typeof between = (from, to, run) => (d.parts === undefined ? between(from, to, run) : run)
  return fromRuns({
    ...named,
    domain,
    codomain,
    support,
    range,
    forward: guard(support, range, on(domain, d.forward)),
    inverse: guard(range, support, on(codomain, d.inverse)),
    ...(train && { train: guard(support, range, on(domain, train)) }),
    ...(start && { start: guard(support, range, on(domain, start)) }),
  })
}

/**
 * The identity at a shape: where a composition starts.
 *
 * @throws DiffeoException if the shape is no list of whole numbers
 * @example compose(input([32, 32, 3]), squeeze, actNorm)
 */
export const input = <const S extends Shape>(shape: S): Bijector<S, S> => {
  orThrow(shapeIn('input', shape))
  const pass: Run = ({ params, values }) => ({ params, values, logDet: zeroPerExample(values[0]!) })
  return fromRuns({ name: 'input', domain: shape, codomain: shape, spec: {}, parts: [], forward: pass, inverse: pass })
}

/**
 * A layer at a shape.
 *
 * @example
 * const b = on([32, 32, 3], compose(squeeze, factorOut)) // Bijector<[32, 32, 3], [[16, 16, 6], [16, 16, 6]]>
 * @throws DiffeoException if a size known only at run time does not fit; `layer.at(shape)` returns an `Either`
 */
export const on = <const S extends Shape, F extends ShapeFn>(
  shape: S,
  of: Layer<F> & Refusal<F, S>,
): Bijector<S, LatentsAt<F, S>> => orThrow(layerIn('on')(of).at(orThrow(shapeIn('on', shape))))
