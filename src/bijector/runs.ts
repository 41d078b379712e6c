/**
 * What a bijector computes, on lists of tensors: an event is a list of one, latents are a list of one or several
 * (Eq. 17). Combinators work with lists, where every bijector has the same type; the typed edge is `bijector`, where a
 * definition comes in, and `bind`, `train` and `start`, where batches do.
 *
 * @module
 */
import { add } from '../tensor/ops.js'
import type { Params } from '../tensor/params.js'
import type { AnyTensor, PerExample } from '../tensor/tensor.js'
import { clamp, type Interval, isBounded, logInside } from './support.js'

/** Parameters, and the event or the latents to run on. */
export interface RunInput {
  readonly params: Params
  readonly values: readonly AnyTensor[]
}

/** The latents or the event, the log-det in nats, and the parameters with their next statistics. */
export interface RunOutput {
  readonly values: readonly AnyTensor[]
  readonly logDet: PerExample
  /** Those of the input, where a run changes no statistics. */
  readonly params: Params
}

export type Run = (input: RunInput) => RunOutput

/** Both directions, and what training runs: `train` with the batch's statistics, `start` on the first batch. */
export interface Runs {
  readonly forward: Run
  readonly inverse: Run
  readonly train: Run
  readonly start: Run
}

/** A run that sees values inside `from` only and returns values inside `to`; examples outside `from` get log-det −∞. */
export const between = (from: Interval, to: Interval, run: Run): Run => {
  const inside = (interval: Interval, values: readonly AnyTensor[]): readonly AnyTensor[] =>
    isBounded(interval) ? values.map((value) => clamp(interval, value)) : values
  return (input) => {
    const output = run({ ...input, values: inside(from, input.values) })
    const values = inside(to, output.values)
    const outside = isBounded(from) ? input.values.map((value) => logInside(from, value)) : []
    return { ...output, values, logDet: outside.reduce((sum, log) => add(log)(sum), output.logDet) }
  }
}
