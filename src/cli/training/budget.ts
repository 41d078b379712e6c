/**
 * How long a run trains.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { DiffeoException, usageError } from '../../error.js'
import { flagsOf } from '../flags.js'
import type { RunConfig } from '../run/config.js'
import { filesIn } from '../run/folder.js'

/** When a training stops, if not at the end of the schedule. */
export interface Budget {
  readonly seconds?: number
  readonly steps?: number
  /** Seconds between checkpoints. */
  readonly saveEvery: number
}

/** The flags that a budget comes from. */
interface BudgetFlags {
  readonly minutes?: number
  readonly steps?: number
  readonly saveEvery: number
}

const minutesFor = (shape: readonly number[]): number => (shape.length === 3 ? 15 : 3)

/** A note about resuming from a step, and the flags that it needs besides those of every resumed run. */
export const onwards = (
  { minutes, steps: asked = 0 }: Pick<BudgetFlags, 'minutes' | 'steps'>,
  { recipe: { steps, schedule }, shape }: RunConfig,
  step: number,
): { readonly note: string; readonly more: string } => {
  // the configuration keeps the number of steps that a time budget was turned into
  if (steps === undefined) return { note: '', more: flagsOf({ minutes }) }
  if (step < steps) return { note: '', more: '' }
  const where = step > steps ? 'past the end of its schedule, where' : 'the end of its schedule, beyond which'
  return {
    note: schedule === 'cosine' ? `, ${where} the learning rate is a hundredth` : '',
    more: flagsOf(asked > step ? { minutes, steps: asked } : { minutes: minutesFor(shape) }),
  }
}

/** What to do about a loss that is not finite. Retrying the step would fail again. */
export const wayBack = (
  { minutes, steps }: BudgetFlags,
  { recipe: { learningRate } }: RunConfig,
  out: string,
  resumeWith: string,
): string => {
  const lower = { checkpoint: 'best', learningRate: Number((learningRate / 10).toPrecision(3)), minutes, steps }
  return existsSync(filesIn(out).best)
    ? `resume from the best validation with a lower rate: ${resumeWith}${flagsOf(lower)}`
    : 'there was no validation to go back to: start a new run with a lower --learning-rate'
}

/**
 * When to stop: as the flags say, otherwise at the end of the schedule, otherwise after some minutes.
 *
 * @throws DiffeoException with a usage error, if the run has no steps left
 */
export const budgetOf = (
  { minutes, steps, saveEvery }: BudgetFlags,
  { recipe, shape }: RunConfig,
  out: string,
  from: number,
): Budget => {
  const seconds = minutes === undefined ? {} : { seconds: minutes * 60 }
  if (steps !== undefined) return { ...seconds, steps, saveEvery }
  if (minutes !== undefined) return { ...seconds, saveEvery }
  if (recipe.steps === undefined) return { seconds: minutesFor(shape) * 60, saveEvery }
  if (from < recipe.steps) return { saveEvery }
  throw new DiffeoException(
    usageError(
      `resume ${out}`,
      'a run with steps left',
      `step ${from} of ${recipe.steps}`,
      'add --minutes or --steps to train it further, or look at it: diffeo evaluate, diffeo sample',
    ),
  )
}
