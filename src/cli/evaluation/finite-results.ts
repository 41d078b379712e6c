/**
 * Results that are not finite. A command counts them, writes its files, prints its result, and then fails.
 *
 * @module
 */
import { DiffeoException, trainingError } from '../../error.js'

const FIX = 'look for examples outside the support of the flow, or use --checkpoint best'

/** The clause that counts results that are not finite; empty if all are. */
export const describeNotFinite = (count: number, notFinite: number): string =>
  notFinite === 0 ? '' : `; ${notFinite} of the ${count} have no finite figure`

/**
 * Fails if some results are not finite.
 *
 * @throws DiffeoException with a training error
 */
export const requireFinite = (op: string, things: string, count: number, notFinite: number): void => {
  if (notFinite > 0)
    throw new DiffeoException(
      trainingError(op, `finite numbers for all ${count} ${things}`, `none for ${notFinite} of them`, FIX),
    )
}
