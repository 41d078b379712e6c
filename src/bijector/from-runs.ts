/**
 * Bijectors from what they compute on lists of tensors: the typed edge of {@link Runs}.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Exactly, ExactlyGiven, Latents, Shape, ShapeFn } from '../../types/shape.js'
import { DiffeoException, orThrow, shapeError } from '../error.js'
import { checkParams } from '../tensor/check-params.js'
import { floatSizesIn } from '../tensor/numbers.js'
import { tidy } from '../tensor/ops.js'
import { initialise, type Params, type Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { batchOf, exactly, sameContext } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentBatch, latentTensors } from '../tensor/tensor.js'
import {
  type AnyBijector,
  type AnyConditional,
  type Bijector,
  type Conditional,
  type Layer,
  layer,
  type Trained,
} from './layer.js'
import type { Run, Runs } from './runs.js'
import { type Interval, REALS } from './support.js'

/** A bijector before its typed edge. */
export interface RunsDefinition<A extends Shape, B extends Latents> {
  readonly name: string
  readonly domain: A
  readonly codomain: B
  readonly spec: Spec
  /** Default: all finite numbers. */
  readonly support?: Interval
  /** Default: all finite numbers. */
  readonly range?: Interval
  readonly parts?: readonly (AnyBijector | AnyConditional)[]
  readonly forward: Run
  readonly inverse: Run
  /** Default: `forward`. */
  readonly train?: Run
  /** Default: `train`, with the parameters unchanged. */
  readonly start?: Run
}

/** Runs that free their intermediate tensors, and refuse a batch or contexts that do not fit. */
const guarded = ({ name, domain, codomain, ...d }: RunsDefinition<Shape, Latents>, context?: Shape): Runs => {
  const fitsContext = context && batchOf(`${name} given`, context)
  const { train = d.forward } = d
  const { start = (input) => ({ ...train(input), params: input.params }) } = d
  const on = (latents: Latents, run: Run): Run => {
    const fits = batchOf(name, latents)
    return (input) =>
      tidy(() => {
        const sizes = orThrow(fits(input.values.map(floatSizesIn(name))))
        if (fitsContext !== undefined) checkRows(orThrow(fitsContext([floatSizesIn(name)(input.given)])), sizes)
        return run(input)
      })
  }
  const checkRows = ([[contexts = 0] = []]: readonly Shape[], [[examples = 0] = []]: readonly Shape[]): void => {
    if (contexts === 1 || contexts === examples) return
    const expected = `1 context for all or ${examples}, one for each example`
    throw new DiffeoException(shapeError(`${name} given`, expected, `${contexts}`))
  }
  return {
    forward: on(domain, d.forward),
    inverse: on(codomain, d.inverse),
    train: on(domain, train),
    start: on(domain, start),
  }
}

/** What conditional bijectors and others have in common. */
const described = <A extends Shape, B extends Latents>(d: RunsDefinition<A, B>, runs: Runs) => ({
  domain: d.domain,
  codomain: d.codomain,
  support: d.support ?? REALS,
  range: d.range ?? REALS,
  spec: d.spec,
  ...(d.parts && { parts: d.parts }),
  init: (key: Key) => tidy(() => initialise(d.spec, key)),
  runs,
})

/** The typed edge of guarded runs. */
const bijectorOf = <A extends Shape, B extends Latents>(d: RunsDefinition<A, B>, runs: Runs): Bijector<A, B> => {
  const { name, domain, codomain, spec } = d
  const learn =
    (run: Run) =>
    (params: Params): ((x: BatchOf<A>) => Trained<BatchOf<B>>) => {
      checkParams(name, spec, params)
      return (x) => {
        const { values, logDet, params: next } = run({ params, values: latentTensors(x) })
        return [latentBatch(codomain, values), logDet, next]
      }
    }
  const self: Bijector<A, B> = {
    ...layer<Exactly<A, B>>(name, (shape) =>
      pipe(
        exactly(domain)(shape),
        E.map(() => self),
      ),
    ),
    ...described(d, runs),
    bind: (params) => {
      checkParams(name, spec, params)
      return {
        forward: (x) => {
          const { values, logDet } = runs.forward({ params, values: latentTensors(x) })
          return [latentBatch(codomain, values), logDet]
        },
        inverse: (z) => {
          const { values, logDet } = runs.inverse({ params, values: latentTensors(z) })
          return [latentBatch(domain, values), logDet]
        },
      }
    },
    train: learn(runs.train),
    start: learn(runs.start),
  }
  return self
}

/**
 * A bijector from its runs. Its intermediate tensors are freed.
 *
 * @throws DiffeoException, from the bijector, for a batch of another shape, or for parameters that do not fit the spec
 */
export const fromRuns = <A extends Shape, B extends Latents>(d: RunsDefinition<A, B>): Bijector<A, B> =>
  bijectorOf(d, guarded(d))

/** The same of runs that use a context of this shape: every run that has the definition's input has `given`. */
export const conditionalFromRuns = <A extends Shape, C extends Shape, B extends Latents>(
  context: C,
  d: RunsDefinition<A, B>,
): Conditional<A, C, B> => {
  const runs = guarded(d, context)
  const fits = batchOf(`${d.name} given`, context)
  const self: Conditional<A, C, B> = {
    ...layer<ExactlyGiven<A, C, B>>(d.name, (shape, given) =>
      pipe(
        exactly(d.domain)(shape),
        E.chain(() => sameContext(context)(given)),
        E.map(() => self),
      ),
    ),
    ...described(d, runs),
    context,
    given: (contexts) => {
      const given = contexts as AnyTensor
      orThrow(fits([floatSizesIn(`${d.name} given`)(given)]))
      const at =
        (run: Run): Run =>
        (input) =>
          run({ ...input, given })
      return bijectorOf(d, {
        forward: at(runs.forward),
        inverse: at(runs.inverse),
        train: at(runs.train),
        start: at(runs.start),
      })
    },
  }
  return self
}

/** A bijector of its runs, conditional if there is a context. */
export const fromRunsGiven = <A extends Shape, B extends Latents>(
  context: Shape | undefined,
  d: RunsDefinition<A, B>,
): Bijector<A, B> | Conditional<A, Shape, B> => (context === undefined ? fromRuns(d) : conditionalFromRuns(context, d))

/** The shape of the context of a conditional bijector, `undefined` for others. */
export const contextOf = (b: AnyBijector | AnyConditional | Layer<ShapeFn>): Shape | undefined =>
  'context' in b ? b.context : undefined
