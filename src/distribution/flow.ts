/**
 * A flow: the density of a bijector f and a base distribution (Eqs. 5–7, 15). A conditional flow is one such density for each context.
 *
 *     log p(x) = log p_Z(f(x)) + log |det ∂f/∂x|
 *
 * Bits per dimension. For images, x is an integer image plus uniform noise u in [0, 1) (dequantisation). By Jensen's
 * inequality the integer image's log-probability log P(i) = log ∫ p(i + u) du ≥ ∫ log p(i + u) du, so
 * −log p(x) / (D log 2) is, on average, an upper bound on the bits that a code spends for each of the D sub-pixels.
 * It needs no further correction: x stays in [0, 256), every bin has volume 1, and preprocessing is a bijector of the flow,
 * whose log-det counts.
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import type { Called, OnlyBijector } from '../../types/check.js'
import type { Latents, Shape, ShapeError, Show } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import { forEach } from '../bijector/context.js'
import type { AnyBijector, AnyConditional, Bijector, Conditional } from '../bijector/layer.js'
import type { Run } from '../bijector/runs.js'
import { clamp, isBounded, logInside, REALS } from '../bijector/support.js'
import { DiffeoException, usageError } from '../error.js'
import { checkParams } from '../tensor/check-params.js'
import { floatSizesIn } from '../tensor/numbers.js'
import { add, sub, tidy, times } from '../tensor/ops.js'
import { branch, initialise, type Params, type Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { product, show } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentBatch, type PerExample, sizes } from '../tensor/tensor.js'
import { type Base, drawNoise, temperatures } from './base.js'

/** A density over events of shape `A`, given parameters. */
export interface Flow<in out A extends Shape, in out B extends Latents> {
  readonly bijector: Bijector<A, B>
  readonly base: Base
  /** The parameters: the bijector's, or `{ bijector, base }` if the base has parameters too. */
  readonly spec: Spec
  readonly init: (key: Key) => Params
  /** log p(x) in nats, one number per example: −∞ outside of the support and at infinities, NaN for NaN. */
  readonly logProb: (params: Params) => (x: BatchOf<A>) => PerExample
  /** log p(x) in nats with batch statistics, and the parameters with their next statistics. */
  readonly train: (params: Params) => (x: BatchOf<A>) => readonly [logProb: PerExample, params: Params]
  /** Sets the parameters that depend on the first batch, once; the others stay as they are. */
  readonly start: (params: Params) => (x: BatchOf<A>) => Params
  /** −log p(x) / (D log 2), one number per example. */
  readonly bitsPerDim: (params: Params) => (x: BatchOf<A>) => PerExample
  /** `n` draws; a temperature below 1 draws nearer to the mode. */
  readonly sample: (params: Params) => (key: Key, n: number, temperature?: number) => BatchOf<A>
  /**
   * Draws x from random numbers, those of `drawNoise(flow.base, flow.bijector.codomain, key, n)`, and log p(x) in nats. The
   * temperature, one number per example, moves the draws; log p is the density at temperature 1.
   */
  readonly make: (
    params: Params,
  ) => (noise: readonly AnyTensor[], temperature?: PerExample) => readonly [x: BatchOf<A>, logProb: PerExample]
}

/** Examples, and a context for each of them. */
export interface WithGiven<A extends Shape, C extends Shape> {
  readonly x: BatchOf<A>
  readonly given: BatchOf<C>
}

/** A density over events of shape `A` for each context of shape `C`, given parameters. */
export interface ConditionalFlow<in out A extends Shape, in out C extends Shape, in out B extends Latents> {
  readonly bijector: Conditional<A, C, B>
  readonly base: Base
  /** The parameters of the flows at all contexts: the bijector's, or `{ bijector, base }` if the base has parameters too. */
  readonly spec: Spec
  readonly init: (key: Key) => Params
  /**
   * The flow at contexts: one for all examples, or one for each.
   *
   * @throws DiffeoException if the contexts have another shape; from the flow, if there are neither one nor as many as
   *   there are examples
   */
  readonly given: (context: BatchOf<C>) => Flow<A, B>
  /** log p(x | given) in nats with batch statistics, and the parameters with their next statistics. */
  readonly train: (params: Params) => (batch: WithGiven<A, C>) => readonly [logProb: PerExample, params: Params]
  /** Sets the parameters that depend on the first batch, once; the others stay as they are. */
  readonly start: (params: Params) => (batch: WithGiven<A, C>) => Params
  readonly logProb: ShapeError<`logProb: expected a flow at a context of ${Show<C>}, got a conditional flow; use flow.given(context)`>
  readonly sample: ShapeError<`sample: expected a flow at a context of ${Show<C>}, got a conditional flow; use flow.given(context)`>
}
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyFlow = Flow<any, any>
// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
export type AnyConditionalFlow = ConditionalFlow<any, any, any>

/** The flow of a bijector, conditional if the bijector is. */
export type FlowOf<L, A extends Shape, B extends Latents> = L extends { readonly context: infer C extends Shape }
  ? ConditionalFlow<A, C, B>
  : Flow<A, B>

/**
 * Nats to bits per dimension: −log p / (D log 2).
 *
 * @example toBitsPerDim(-2 * Math.LN2, 2) // 1
 */
export const toBitsPerDim = (logProb: number, dimensions: number): number => -logProb / (dimensions * Math.LN2)

/**
 * The bijector's part of a flow's parameters: all of them, unless the base has parameters too.
 *
 * @example moons.bijector.bind(bijectorParams(moons, params)).forward(x)
 */
export const bijectorParams = (flow: AnyFlow | AnyConditionalFlow, params: Params): Params =>
  flow.spec === flow.bijector.spec ? params : branch(params, 'bijector')
/**
 * The base's part of a flow's parameters: none, unless it has some.
 *
 * @example moons.base.logProb(baseParams(moons, params), z)
 */
export const baseParams = (flow: AnyFlow | AnyConditionalFlow, params: Params): Params =>
  flow.spec === flow.bijector.spec ? {} : branch(params, 'base')

/** How the parameters of a flow consist of its bijector's and its base's. */
const partsOf = (bijector: Spec, base: Spec) => {
  const isFixed = Object.keys(base).length === 0
  const spec: Spec = isFixed ? bijector : { bijector, base }
  return {
    spec,
    split: (params: Params): FlowParams =>
      isFixed ? { bijector: params, base: {} } : { bijector: branch(params, 'bijector'), base: branch(params, 'base') },
    join: (params: FlowParams): Params => (isFixed ? params.bijector : { ...params }),
  }
}
type Parts = ReturnType<typeof partsOf>

interface FlowParams {
  readonly bijector: Params
  readonly base: Params
}

/**
 * Both directions of a flow with log p(x), on lists of tensors and for any contexts. They trust the parameters.
 *
 * @internal
 */
export const densityOf = ({ name, runs, support }: AnyBijector | AnyConditional, base: Base) => {
  // a bijector of bounded support handles infinities itself; others would turn them into NaN (0·∞, ∞ − ∞)
  const isGuarded = isBounded(support)
  const ofBase = (params: Params, values: readonly AnyTensor[], given: AnyTensor | undefined): PerExample =>
    base.logProb(params, values, forEachOf(values, given))
  return {
    /** One of the runs from x. */
    from: (run: Run, params: FlowParams, x: AnyTensor, given: AnyTensor | undefined) => {
      floatSizesIn(name)(x)
      const output = run({ params: params.bijector, values: [isGuarded ? x : clamp(REALS, x)], given })
      const logP = add(output.logDet)(ofBase(params.base, output.values, given))
      return { ...output, logProb: isGuarded ? logP : add(logInside(REALS, x))(logP) }
    },
    /** To x from latents. */
    to: (params: FlowParams, z: readonly AnyTensor[], given: AnyTensor | undefined) => {
      const { values, logDet } = runs.inverse({ params: params.bijector, values: z, given })
      return { x: values[0]!, logDet, logProb: sub(logDet)(ofBase(params.base, z, given)) }
    },
  }
}

/** The contexts for a base, one for each example. */
const forEachOf = ([first]: readonly AnyTensor[], given: AnyTensor | undefined) =>
  given && forEach(sizes(first!)[0]!, given)

/** A flow at contexts, if its bijector is conditional. */
const flowAt = <A extends Shape, B extends Latents>(
  of: AnyBijector | AnyConditional,
  { spec, split, join }: Parts,
  bijector: Bijector<A, B>,
  base: Base,
  given?: AnyTensor,
): Flow<A, B> => {
  const { name, runs, domain, codomain } = of
  const density = densityOf(of, base)
  const through = (run: Run, params: Params) => {
    const parts = split(params)
    return (x: BatchOf<A>) => {
      const { logProb, values, params: next } = density.from(run, parts, x as AnyTensor, given)
      return { logProb, values, next: { bijector: next, base: parts.base } }
    }
  }
  const checked = (params: Params): Params => {
    checkParams(name, spec, params)
    return params
  }
  const logProb: Flow<A, B>['logProb'] = (params) => {
    const forward = through(runs.forward, checked(params))
    return (x) => tidy(() => forward(x).logProb)
  }
  const make: Flow<A, B>['make'] = (params) => {
    const parts = split(checked(params))
    return (noise, temperature) =>
      tidy(() => {
        const z = base.make(codomain, parts.base, noise, { temperature, given: forEachOf(noise, given) })
        const { x, logProb: p } = density.to(parts, z, given)
        return [latentBatch<A>(domain, [x]), p]
      })
  }
  return {
    bijector,
    base,
    spec,
    init: (key) => tidy(() => initialise(spec, key)),
    logProb,
    train: (params) => {
      const forward = through(runs.train, checked(params))
      return (x) =>
        tidy(() => {
          const { logProb: p, next } = forward(x)
          return [p, join(next)] as const
        })
    },
    start: (params) => {
      const forward = through(runs.start, checked(params))
      return (x) =>
        tidy(() => {
          const { values, next } = forward(x)
          return join({ ...next, base: base.start?.(next.base, values, forEachOf(values, given)) ?? next.base })
        })
    },
    bitsPerDim: (params) => {
      const nats = logProb(params)
      return (x) => tidy(() => pipe(nats(x), times(-1 / (product(domain) * Math.LN2))))
    },
    sample: (params) => {
      const from = make(params)
      return (key, n, temperature = 1) =>
        tidy(() => from(drawNoise(base, codomain, key, n), temperatures(temperature, n))[0])
    },
    make,
  }
}

/**
 * The density of a bijector and a base distribution. Of a conditional bijector, the conditional flow: a density for each
 * context.
 *
 * @example
 * const moons = flow(compose(input([2]), coupling(halves(), mlp()), coupling(halves('second'), mlp())), standardNormal)
 * const params = moons.init(key(0))
 * moons.logProb(params)(x) // Tensor<['N']>, nats
 * @throws DiffeoException if the base does not fit the latents
 */
export const flow = <A extends Shape, B extends Latents, L = Bijector<A, B>, D = Base>(
  bijector: OnlyBijector<L> & L & { readonly domain: A; readonly codomain: B },
  base: Called<D, 'flow', 'a base'> & Base & D,
): FlowOf<L, A, B> => {
  expectKind(
    'flow',
    'a bijector',
    bijector,
    ['a bijector', 'a conditional bijector'],
    'put a layer at a shape: atShape(shape, layer)',
  )
  expectKind('flow', 'a base', base)
  const of = bijector as object as Bijector<A, B> | Conditional<A, Shape, B>
  const made =
    'context' in of ? conditionalFlow(of, base) : flowAt<A, B>(of, partsOf(of.spec, base.spec(of.codomain)), of, base)
  // the result type is conditional on `L`; the compiler resolves it only where `flow` is called
  return made as FlowOf<L, A, B>
}

/** For each flow at contexts: the conditional flow and the contexts. */
const origins = new WeakMap<object, { readonly of: AnyConditionalFlow; readonly given: AnyTensor }>()

/** The conditional flow that `flow.given(contexts)` came from, and the contexts. */
export const originOf = (flow: object) => origins.get(flow)

/** Run-time checks for plain JavaScript of what the types refuse. */
const refuse = (op: string, context: Shape) => (): never => {
  const expected = `a flow at a context of ${show(context)}`
  throw new DiffeoException(usageError(op, expected, 'a conditional flow', 'use flow.given(context)'))
}

const conditionalFlow = <A extends Shape, B extends Latents>(
  of: Conditional<A, Shape, B>,
  base: Base,
): ConditionalFlow<A, Shape, B> => {
  const parts = partsOf(of.spec, base.spec(of.codomain, of.context))
  const { spec } = parts
  const given = (contexts: BatchOf<Shape>): Flow<A, B> => {
    const made = flowAt(of, parts, of.given(contexts), base, contexts as AnyTensor)
    origins.set(made, { of: self, given: contexts as AnyTensor })
    return made
  }
  const self = {
    bijector: of,
    base,
    spec,
    init: (key: Key) => tidy(() => initialise(spec, key)),
    given,
    train: (params: Params) => (batch: WithGiven<A, Shape>) => given(batch.given).train(params)(batch.x),
    start: (params: Params) => (batch: WithGiven<A, Shape>) => given(batch.given).start(params)(batch.x),
    logProb: refuse('logProb', of.context),
    sample: refuse('sample', of.context),
    // the types refuse the last two, with the same sentences
  } as object as ConditionalFlow<A, Shape, B>
  return self
}
