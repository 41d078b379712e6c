/**
 * Why a training has no finite numbers: the batch, the validation data, or a loss that diverged.
 *
 * @module
 */
import { type DiffeoError, trainingError } from '../error.js'
import { ahead, notFiniteIn } from './ahead.js'
import type { Batches, Evaluation } from './evaluate.js'
import type { ObjectiveKind } from './objective.js'
import { hasFiniteLoss, type StepMetrics } from './step.js'

/**
 * The fix for a loss that diverged: the same step from the last good state would diverge again.
 *
 * @internal
 */
export const EARLIER = 'go on from an earlier state, with a lower learning rate or gradient clip'

/** Why a step had no finite loss or gradient: its batch, or the numbers that ran away. */
export const whyNotFinite = async (
  at: string,
  batch: unknown,
  metrics: StepMetrics<ObjectiveKind>,
): Promise<DiffeoError> => {
  const bad = await notFiniteIn(batch)
  if (bad !== undefined)
    return trainingError(
      `fit ${at}`,
      'a batch of finite numbers',
      bad,
      'fix the data, or the function that makes batches',
    )
  const what = hasFiniteLoss(metrics) ? 'gradient' : 'loss'
  const fix = at.endsWith(' 1') ? `check that the data lie in the flow's domain, or ${EARLIER}` : EARLIER
  return trainingError(`fit ${at}`, `a finite ${what}`, 'one that is not', fix)
}

/** Why the figure of a validation is not finite: its data, or the parameters. */
export const whyNotValid = async <X>(
  when: string,
  batches: Batches<X>,
  { count, notFinite, each }: Evaluation<ObjectiveKind>,
): Promise<DiffeoError> => {
  const op = `fit ${when}`
  if (count === 0) return trainingError(op, 'a validation of at least one example', 'none')
  let index = 0
  for await (const batch of ahead(() => op, batches.at, 0, batches.count)) {
    const bad = await notFiniteIn(batch)
    const fix = 'fix the validation data'
    if (bad !== undefined) return trainingError(op, 'validation data of finite numbers', `${bad} (batch ${index})`, fix)
    index++
  }
  const first = each.findIndex((bits) => !Number.isFinite(bits))
  const got = `${notFinite} of ${count} examples without one, the first of them ${first}`
  return trainingError(op, 'a validation with finite figures', got, EARLIER)
}
