/**
 * `bijector({ … })` makes a bijector from two functions. `input` and `atShape` put layers at a shape.
 *
 * @module
 */
import type { FnOf, LatentsAt, Placed } from '../../types/check.js'
import type { Latents, Shape } from '../../types/shape.js'
import { DiffeoException, orThrow, shapeError } from '../error.js'
import { shapeIn } from '../tensor/numbers.js'
import { zeroPerExample } from '../tensor/ops.js'
import type { Params, ParamsOf, Spec } from '../tensor/params.js'
import { latentList, sameShape, show } from '../tensor/shape.js'
import { type BatchOf, latentBatch, latentTensors, type PerExample, sizes } from '../tensor/tensor.js'
import { layerIn } from './arguments.js'
import { forEach } from './context.js'
import { conditionalFromRuns, fromRuns, fromRunsGiven, type RunsDefinition } from './from-runs.js'
import type { AnyBijector, AnyConditional, Bijector, Conditional, Given, Trained } from './layer.js'
import { between, type Run } from './runs.js'
import { type Interval, REALS } from './support.js'

/** The fields that both kinds of definitions share, besides the two directions. */
interface Described<A extends Shape, B extends Latents, S extends Spec> {
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
  readonly parts?: readonly (AnyBijector | AnyConditional)[]
}

/** The definition of a bijector: two directions and the parameters they take. */
export interface Definition<A extends Shape, B extends Latents, S extends Spec> extends Described<A, B, S> {
  readonly forward: (params: ParamsOf<S>, x: BatchOf<A>) => readonly [value: BatchOf<B>, logDet: PerExample]
  readonly inverse: (params: ParamsOf<S>, z: BatchOf<B>) => readonly [value: BatchOf<A>, logDet: PerExample]
  /** Only for a layer with statistics: `forward` with those of the batch; returns the parameters with their next ones. */
  readonly train?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
  /** Only for a layer that depends on the first data. Default: `train`, with the parameters unchanged. */
  readonly start?: (params: ParamsOf<S>, x: BatchOf<A>) => Trained<BatchOf<B>>
}

/** The definition of a conditional bijector: the same functions, which also take one context for each example. */
export interface ConditionalDefinition<A extends Shape, C extends Shape, B extends Latents, S extends Spec>
  extends Described<A, B, S> {
  /** The shape of a context. */
  readonly given: C
  readonly forward: (
    params: ParamsOf<S>,
    x: BatchOf<A>,
    given: BatchOf<C>,
  ) => readonly [value: BatchOf<B>, logDet: PerExample]
  readonly inverse: (
    params: ParamsOf<S>,
    z: BatchOf<B>,
    given: BatchOf<C>,
  ) => readonly [value: BatchOf<A>, logDet: PerExample]
  readonly train?: (params: ParamsOf<S>, x: BatchOf<A>, given: BatchOf<C>) => Trained<BatchOf<B>>
  readonly start?: (params: ParamsOf<S>, x: BatchOf<A>, given: BatchOf<C>) => Trained<BatchOf<B>>
}

type Direction<S extends Spec, X extends Latents, C extends Shape> = (
  params: ParamsOf<S>,
  value: BatchOf<X>,
  given: BatchOf<C>,
) => readonly [value: unknown, logDet: PerExample, params?: Params]

/** The runs of the functions of a definition; without a context they ignore `given`. */
const runsOf = <A extends Shape, B extends Latents, S extends Spec, C extends Shape>(
  d: Described<A, B, S>,
  functions: {
    readonly forward: Direction<S, A, C>
    readonly inverse: Direction<S, B, C>
    readonly train?: Direction<S, A, C> | undefined
    readonly start?: Direction<S, A, C> | undefined
  },
): RunsDefinition<A, B> => {
  const { name, domain, codomain, spec, support = REALS, range = REALS, parts } = d
  const on =
    <X extends Latents>(latents: X, f: Direction<S, X, C>, to: Latents, direction: string): Run =>
    ({ params, values, given }) => {
      const contexts = given && forEach(sizes(values[0]!)[0]!, given)
      // `bind` has compared the parameters with the spec, and `given` the contexts with `C`
      const [value, logDet, next = params] = f(
        params as ParamsOf<S>,
        latentBatch(latents, values),
        contexts as BatchOf<C>,
      )
      const outputs = latentTensors(value)
      const rows = sizes(values[0]!)[0]!
      latentList(to).forEach((shape, i) => {
        const [expected, got] = [[rows, ...shape], outputs[i] === undefined ? [] : sizes(outputs[i])]
        if (!sameShape(expected, got))
          throw new DiffeoException(shapeError(name, `${show(expected)} from its ${direction}`, show(got)))
      })
      return { values: outputs, logDet, params: next }
    }
  // the layers of a composition check their own supports
  const guard: typeof between = (from, to, run) => (parts === undefined ? between(from, to, run) : run)
  const { train, start } = functions
  return {
    name,
    domain,
    codomain,
    spec,
    support,
    range,
    ...(parts && { parts }),
    forward: guard(support, range, on(domain, functions.forward, codomain, 'forward')),
    inverse: guard(range, support, on(codomain, functions.inverse, domain, 'inverse')),
    ...(train && { train: guard(support, range, on(domain, train, codomain, 'train')) }),
    ...(start && { start: guard(support, range, on(domain, start, codomain, 'start')) }),
  }
}

/**
 * A bijector from its two directions. Their intermediate tensors are freed. Batches and parameters are checked before
 * they reach the two functions.
 *
 * @example
 * const double = bijector({
 *   name: 'double', domain: [2], codomain: [2], spec: {},
 *   forward: (_, x) => [T.times(2)(x), T.plus(2 * Math.LN2)(T.zeroPerExample(x))],
 *   inverse: (_, z) => [T.times(0.5)(z), T.plus(-2 * Math.LN2)(T.zeroPerExample(z))],
 * })
 * @throws DiffeoException, from the bijector, for a batch of another shape, or for parameters whose names or shapes are
 * not those of the spec
 */
export const bijector = <const A extends Shape, const B extends Latents, S extends Spec>(
  d: Definition<A, B, S>,
): Bijector<A, B> => fromRuns(runsOf(d, d))

/**
 * A conditional bijector from its two directions, which take the contexts as well, one for each example.
 *
 * @example
 * const shifted = conditional({
 *   name: 'shifted', domain: [2], codomain: [2], given: [2], spec: {},
 *   forward: (_, x, c) => [T.sub(c)(x), T.zeroPerExample(x)],
 *   inverse: (_, z, c) => [T.add(c)(z), T.zeroPerExample(z)],
 * }) // Conditional<[2], [2], [2]>
 */
export const conditional = <const A extends Shape, const C extends Shape, const B extends Latents, S extends Spec>(
  d: ConditionalDefinition<A, C, B, S>,
): Conditional<A, C, B> => conditionalFromRuns(d.given, runsOf(d, d))

/**
 * The identity at a shape, the first layer of a composition. With `given`, the composition is conditional: it depends
 * on a context of that shape.
 *
 * @throws DiffeoException if a shape is no list of whole numbers
 * @example
 * compose(input([32, 32, 3]), squeeze, actNorm)
 * compose(input([2], { given: [10] }), coupling(halves(), mlp())) // Conditional<[2], [10], [2]>
 */
export const input = <const S extends Shape, const C extends Shape | undefined = undefined>(
  shape: S,
  { given }: GivenOption<C> = {},
): Given<S, C, S> => {
  orThrow(shapeIn('input', shape))
  if (given !== undefined) orThrow(shapeIn('input given', given))
  const pass: Run = ({ params, values }) => ({ params, values, logDet: zeroPerExample(values[0]!) })
  const identity = { name: 'input', domain: shape, codomain: shape, spec: {}, parts: [], forward: pass, inverse: pass }
  return fromRunsGiven(given, identity) as Given<S, C, S>
}

export interface GivenOption<C> {
  /** The shape of the context; default: none. */
  readonly given?: C
}

/**
 * A layer at a shape; with `given`, at a context's shape too.
 *
 * @example
 * const b = atShape([32, 32, 3], compose(squeeze, factorOut)) // Bijector<[32, 32, 3], [[16, 16, 6], [16, 16, 6]]>
 * const digits = atShape([28, 28, 1], realNvp(), { given: [10] }) // conditional on one of ten classes
 * @throws DiffeoException if a size known only at run time does not fit; `layer.at(shape)` returns an `Either`
 */
export const atShape = <const S extends Shape, L, const C extends Shape | undefined = undefined>(
  shape: S,
  of: Placed<'atShape', L, S, C> & L,
  { given }: GivenOption<C> = {},
): Given<S, C, LatentsAt<FnOf<L>, S, C>> => {
  const context = given && orThrow(shapeIn('on given', given))
  const b = orThrow(layerIn('atShape')(of).at(orThrow(shapeIn('atShape', shape)), context))
  // a layer that does not use the context returns a bijector
  const made = context === undefined || 'context' in b ? b : conditionalFromRuns(context, { ...b, ...b.runs })
  return made as Given<S, C, LatentsAt<FnOf<L>, S, C>>
}
