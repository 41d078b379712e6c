/**
 * What a bijector computes, on lists of tensors: an event is a list of one tensor, latents are a list of one or several
 * (Eq. 17). On lists every bijector has the same type, so combinators use them. Types enter at `bijector`, which takes
 * definitions, and at `bind`, `train` and `start`, which take batches.
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
  /** The contexts of a conditional bijector: one for all examples, or one for each. */
  readonly given?: AnyTensor | undefined
}

/** The latents or the event, the log-det in nats, and the parameters with their next statistics. */
export interface RunOutput {
  readonly values: readonly AnyTensor[]
  readonly logDet: PerExample
  /** The parameters of the input if a run changes no statistics. */
  readonly params: Params
}

export type Run = (input: RunInput) => RunOutput

/** Both directions, `train` (forward with the batch's statistics) and `start` (forward on the first batch). */
export interface Runs {
  readonly forward: Run
  readonly inverse: Run
  readonly train: Run
  readonly start: Run
}

/** A run that sees only values inside `from` and returns values inside `to`. Examples outside `from` get log-det −∞. */
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
