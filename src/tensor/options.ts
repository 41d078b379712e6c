/**
 * Checks of options, for callers that no compiler has checked.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, usageError } from '../error.js'
import { shown } from './numbers.js'

/** The expectation of an option, whether it holds, and the value. */
export type Option = readonly [expected: string, fits: boolean, got: unknown]

/** The error about the first wrong option, if there is one. */
export const wrongOption = (op: string, options: readonly Option[]): DiffeoError | undefined => {
  const wrong = options.find(([, fits]) => !fits)
  return wrong && usageError(op, wrong[0], shown(wrong[2]))
}

/** Whether float32 holds a number above 0 and its reciprocal at full precision: from 2⁻¹²⁶ to 2¹²⁶. */
export const isScale = (value: number): boolean => typeof value === 'number' && value >= 2 ** -126 && value <= 2 ** 126

/** A number above 0 whose reciprocal float32 holds, too. */
export const positive = (name: string, value: number): Option => [
  `a ${name} above 0${value > 0 && Number.isFinite(value) ? ', from 1.2e-38 to 8.5e37' : ''}`,
  isScale(value),
  value,
]

/** A number that is not negative. */
export const atLeastZero = (name: string, value: number): Option => [
  `a finite ${name} of at least 0`,
  value >= 0 && Number.isFinite(value),
  value,
]

/** A number that float32 holds. */
export const finite = (name: string, value: number): Option => [
  `a finite ${name}${Number.isFinite(value) ? ' of at most 3.4e38' : ''}`,
  Number.isFinite(value) && Number.isFinite(Math.fround(value)),
  value,
]

/** A whole number of things. */
export const count = (
  name: string,
  value: number,
  { least = 1, most = Number.MAX_SAFE_INTEGER }: { readonly least?: number; readonly most?: number } = {},
): Option => [
  `a whole number of ${name} from ${least}${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''}`,
  Number.isSafeInteger(value) && value >= least && value <= most,
  value,
]

/** A seed of what is random but fixed. */
export const seedOption = (seed: number): Option => [
  'a seed, a whole number from 0',
  Number.isSafeInteger(seed) && seed >= 0,
  seed,
]

/** A list of whole numbers from 1. */
export const counts = (name: string, values: readonly number[]): Option => {
  const isList = Array.isArray(values)
  const wrong = isList ? values.find((value) => !count(name, value)[1]) : values
  return [`a list of ${name}, whole numbers from 1`, isList && wrong === undefined, wrong]
}

/** One of several words. */
export const oneOf = (name: string, value: string, words: readonly string[]): Option => [
  `${name} ${words.map((word) => JSON.stringify(word)).join(' or ')}`,
  words.includes(value),
  value,
]

/** Two bounds, the lower first; they may be infinite. */
export const clipBounds = (low: number, high: number): E.Either<DiffeoError, null> =>
  typeof low === 'number' && typeof high === 'number' && low <= high
    ? E.right(null)
    : E.left(usageError('clip', 'a lower and an upper bound', `${shown(low)} and ${shown(high)}`))
