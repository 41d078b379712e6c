/**
 * Figures and samples that are no finite numbers: counted, and the end of a command by an error, after its files are
 * written and its result is told.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, trainingError } from '../../error.js'

const FIX = 'look for examples outside of what the flow takes, or go back to --checkpoint best'

/** How many of so many are not finite, as one reads it; nothing where all are. */
export const describeNotFinite = (count: number, notFinite: number): string =>
  notFinite === 0 ? '' : `; ${notFinite} of the ${count} have no finite figure`

/** Refuses where some are not finite. */
export const allFinite = (
  op: string,
  things: string,
  count: number,
  notFinite: number,
): E.Either<DiffeoError, 'done'> =>
  notFinite === 0
    ? E.right('done')
    : E.left(trainingError(op, `finite numbers for all ${count} ${things}`, `none for ${notFinite} of them`, FIX))
