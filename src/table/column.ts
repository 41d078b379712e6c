/**
 * Columns of a table as a flow sees them: each value is a number, and text is the index of its level.
 *
 * | kind | numbers | what the flow sees |
 * | --- | --- | --- |
 * | continuous | x | (x − m)/s |
 * | positive | x > 0 | (log x − m)/s |
 * | bounded | low ≤ x ≤ high | (logit(α + (1 − 2α)(x − low)/(high − low)) − m)/s |
 * | quantile | x | the normal quantile of its rank, by a spline through the quantiles |
 * | integer | multiples of `step` | (x + step·u − m)/s, u ~ U[0, 1) |
 * | categorical | 0, 1, … of the levels in order | (x + u − m)/s |
 * | angle | x modulo `period`, in the period around its mean | as bounded |
 * | date | days since 2000-01-01, UTC | (x − m)/s |
 *
 * @module
 */
import * as t from 'io-ts'
import { guarded } from '../codec.js'
import { DiffeoException, usageError } from '../error.js'
import { quotedList } from './words.js'

/** The kinds of columns. */
export const kinds = [
  'continuous',
  'positive',
  'bounded',
  'quantile',
  'integer',
  'categorical',
  'angle',
  'date',
] as const
export type Kind = (typeof kinds)[number]

const anyNumber = guarded('a finite number', (u): u is number => Number.isFinite(u))
const aboveZero = guarded('a number above 0', (u): u is number => Number.isFinite(u) && (u as number) > 0)

/** A column with everything that was fitted to it. Checkpoints hold it. */
export const ColumnC = t.intersection(
  [
    t.type({
      name: t.string,
      kind: t.keyof({
        continuous: null,
        positive: null,
        bounded: null,
        quantile: null,
        integer: null,
        categorical: null,
        angle: null,
        date: null,
      }),
      /** The mean and the standard deviation of what the flow sees, before it is standardised. */
      mean: anyNumber,
      deviation: aboveZero,
      /** The smallest and the largest value, or the bounds of a bounded column; of an angle, where its period begins and ends. */
      low: anyNumber,
      high: anyNumber,
    }),
    t.partial({
      /** The distance between values that are dequantised. */
      step: aboveZero,
      /** The levels of text, in order. */
      levels: t.readonlyArray(t.string),
      /** Quantiles and the normal quantiles of their ranks, both ascending. */
      knots: t.readonlyArray(t.readonly(t.tuple([anyNumber, anyNumber]))),
      /** Whether it says where the column before it has no value. */
      isIndicator: t.boolean,
    }),
  ],
  'a column of a table',
)
export type Column = Readonly<t.TypeOf<typeof ColumnC>>

/** What a user says of a column: its kind, and its numbers if it has any. */
export interface ColumnChoice {
  readonly kind: Kind | 'ignore'
  /** `bounded`: low and high; `integer`: the step; `angle`: the period. */
  readonly numbers: readonly number[]
}

const most: Readonly<Partial<Record<Kind | 'ignore', number>>> = { bounded: 2, integer: 1, angle: 1 }
const least: Readonly<Partial<Record<Kind | 'ignore', number>>> = { bounded: 2 }

/**
 * Parses `bounded:0:1` or `integer`.
 *
 * @throws DiffeoException with a usage error
 */
export const columnChoice = (op: string, text: string): ColumnChoice => {
  const [kind = '', ...rest] = text.split(':')
  const numbers = rest.map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  const isKind = (name: string): name is ColumnChoice['kind'] => name === 'ignore' || kinds.includes(name as Kind)
  const refuse = (expected: string): DiffeoException => new DiffeoException(usageError(op, expected, `'${text}'`))
  if (!isKind(kind)) throw refuse(`one of ${[...kinds, 'ignore'].join(', ')}`)
  if (numbers.length > (most[kind] ?? 0) || numbers.length < (least[kind] ?? 0) || !numbers.every(Number.isFinite))
    throw refuse('bounded:<low>:<high>, integer:<step>, angle:<period>, or a kind without numbers')
  if (kind === 'bounded' ? numbers[0]! >= numbers[1]! : numbers.some((n) => n <= 0))
    throw refuse(kind === 'bounded' ? 'a low below the high' : 'a number above 0')
  return { kind, numbers }
}

/** The date that stands for 0. */
const EPOCH = Date.UTC(2000, 0, 1)
const DAY = 86_400_000

export const daysOf = (milliseconds: number): number => (milliseconds - EPOCH) / DAY

const ISO = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** Dates repeat, and parsing one is slow. */
const knownDates = new Map<string, number>()
const MOST_DATES = 10_000

/** The days of an ISO date, in UTC unless it has a zone; NaN for other text. */
export const parseDate = (text: string): number => {
  const known = knownDates.get(text)
  if (known !== undefined) return known
  const days = daysIn(text)
  if (knownDates.size >= MOST_DATES) knownDates.clear()
  knownDates.set(text, days)
  return days
}

const daysIn = (text: string): number => {
  if (!ISO.test(text)) return Number.NaN
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/.test(text.slice(10))
  return daysOf(Date.parse(hasZone || text.length === 10 ? text : `${text.replace(' ', 'T')}Z`))
}

/** A number of a column as a user writes it: text, a date, or a number on the grid of its steps. */
export const displayed = (column: Column, number: number): string | number => {
  const { kind, levels, step, low, high } = column
  if (levels !== undefined) return levels[Math.min(levels.length - 1, Math.max(0, Math.floor(number)))]!
  if (kind === 'date') {
    const date = new Date(Math.round(number * DAY + EPOCH))
    if (!Number.isFinite(date.getTime())) return Number.NaN
    const iso = date.toISOString()
    return step === 1 || iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso
  }
  if (step !== undefined) {
    const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step)) + 2))
    return Number(Math.min(high, Math.max(low, Math.floor(number / step) * step)).toFixed(digits))
  }
  return Number(number.toPrecision(7))
}

/** Refuses names that a table does not have. */
export const requireNames = (op: string, known: readonly string[], asked: readonly string[]): void => {
  const unknown = asked.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new DiffeoException(usageError(op, `columns among ${quotedList(known)}`, `'${unknown}'`))
}

/** Refuses names of contexts that a table does not have, or all of its columns. */
export const requireContext = (op: string, columns: readonly Column[], given: readonly string[]): void => {
  requireNames(
    op,
    columns.map(({ name }) => name),
    given,
  )
  if (columns.every(({ name }) => given.includes(name)))
    throw new DiffeoException(usageError(op, 'at least one column to model', 'none', 'leave one of them out'))
}
