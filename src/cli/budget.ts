/**
 * How long a run is trained.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, usageError } from '../error.js'
import type { RunConfig } from './config.js'

/** When to stop, if not at the end of the schedule. */
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

/** What a run that has come to its end is resumed with. */
export const moreFor = ({ recipe, shape }: RunConfig, step: number): string =>
  step < (recipe.steps ?? Number.POSITIVE_INFINITY) ? '' : ` --minutes ${minutesFor(shape)}`

/** When to stop: as the flags say, else at the end of the schedule, else after some minutes. */
export const budgetOf = (
  { minutes, steps, saveEvery }: BudgetFlags,
  { recipe, shape }: RunConfig,
  out: string,
  from: number,
): E.Either<DiffeoError, Budget> => {
  const seconds = minutes === undefined ? {} : { seconds: minutes * 60 }
  if (steps !== undefined) return E.right({ ...seconds, steps, saveEvery })
  if (minutes !== undefined) return E.right({ ...seconds, saveEvery })
  if (recipe.steps === undefined) return E.right({ seconds: minutesFor(shape) * 60, saveEvery })
  return from < recipe.steps
    ? E.right({ saveEvery })
    : E.left(
        usageError(
          `resume ${out}`,
          'a run with steps left',
          `step ${from} of ${recipe.steps}`,
          'add --minutes or --steps to train it further, or look at it: diffeo evaluate, diffeo sample',
        ),
      )
}
