/**
 * Bijectors from what they compute on lists of tensors: the typed edge of {@link Runs}.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Exactly, Latents, Shape } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { checkParams } from '../tensor/check-params.js'
import { floatSizesIn } from '../tensor/numbers.js'
import { tidy } from '../tensor/ops.js'
import { initialise, type Params, type Spec } from '../tensor/params.js'
import { batchOf, exactly } from '../tensor/shape.js'
import { type BatchOf, latentBatch, latentTensors } from '../tensor/tensor.js'
import { type AnyBijector, type Bijector, layer, type Trained } from './layer.js'
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
  readonly parts?: readonly AnyBijector[]
  readonly forward: Run
  readonly inverse: Run
  /** Default: `forward`. */
  readonly train?: Run
  /** Default: `train`, with the parameters unchanged. */
  readonly start?: Run
}

/**
 * A bijector from its runs. Its intermediate tensors are freed.
 *
 * @throws DiffeoException, from the bijector, for a batch of another shape, or for parameters that do not fit the spec
 */
export const fromRuns = <A extends Shape, B extends Latents>(d: RunsDefinition<A, B>): Bijector<A, B> => {
  const { name, domain, codomain, spec, support = REALS, range = REALS } = d
  const { train = d.forward } = d
  const { start = (input) => ({ ...train(input), params: input.params }) } = d

  const on = (latents: Latents, run: Run): Run => {
    const fits = batchOf(name, latents)
    return (input) =>
      tidy(() => {
        orThrow(fits(input.values.map(floatSizesIn(name))))
        return run(input)
      })
  }
  const runs: Runs = {
    forward: on(domain, d.forward),
    inverse: on(codomain, d.inverse),
    train: on(domain, train),
    start: on(domain, start),
  }

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
    domain,
    codomain,
    support,
    range,
    spec,
    ...(d.parts && { parts: d.parts }),
    init: (key) => tidy(() => initialise(spec, key)),
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
    runs,
  }
  return self
}
