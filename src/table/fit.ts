/**
 * From numbers to columns: guesses the kind of each, fits what standardises it, and says what is left out and why.
 *
 * @module
 */
import { DiffeoException, formatError, usageError } from '../error.js'
import type { Column, ColumnChoice, Kind } from './column.js'
import { normalQuantile } from './normal.js'
import { deviationOf, MOST_DISTINCT, meanOf, quantile, type Statistics, skewnessOf } from './statistics.js'
import { MOST_LEVELS, type Reading } from './values.js'

/** A column before its kind is known. */
export interface RawColumn {
  readonly name: string
  readonly reading: Reading
  readonly levels: readonly string[]
  readonly statistics: Statistics
  /** The values of the rows that are kept; none is missing. */
  readonly values: Float64Array
  readonly choice: ColumnChoice | undefined
}

/** A column that the flow sees, or the reason why it does not. */
export type Fitted = { readonly column: Column; readonly warnings: readonly string[] } | { readonly ignored: string }

/** Positive numbers whose skewness is above that, and smaller for their logarithms, are modelled by their logarithms. */
const SKEWED = 1.5
/** Pieces of a quantile spline. */
const PIECES = 32
/** The share of equal values from which a continuous column is suspicious. */
const REPEATED = 0.05
/** A mean so many deviations away loses digits of float32. */
const FAR = 1e4
const HEAVY = 20

/** The distance between values that look rounded: the largest power of ten whose multiples they are. */
const gridOf = (values: Float64Array): number | undefined =>
  [1, 0.1, 0.01, 0.001].find((step) =>
    values.every(
      (value) => Math.abs(value / step - Math.round(value / step)) < 1e-6 && Math.abs(value / step) < 2 ** 40,
    ),
  )

/** The most values that are looked at for a warning or a guess. */
const LOOKED_AT = 20_000

/** Some of many values, spread over all rows. */
const sampled = (values: Float64Array): Float64Array => {
  const every = Math.ceil(values.length / LOOKED_AT)
  return every === 1
    ? values
    : Float64Array.from({ length: Math.floor(values.length / every) }, (_, i) => values[i * every]!)
}

const looksLikeId = ({ name, statistics: { isWhole, isAscending, count, distinct } }: RawColumn): boolean => {
  const isDistinct = count > 1 && (distinct.size === count || (isAscending && isWhole))
  return isDistinct && isWhole && (isAscending || /(^|[_ -])(id|index|key|row)$/i.test(name)) && count > 20
}

const guessed = (raw: RawColumn): Kind | { readonly ignored: string } => {
  const { reading, statistics, values, levels } = raw
  const { count, low, distinct, isWhole } = statistics
  if (count === 0) return { ignored: 'has no values' }
  if (reading === 'text') {
    if (levels.length > MOST_LEVELS) return { ignored: `text with more than ${MOST_LEVELS} levels` }
    if (levels.length < 2) return { ignored: 'constant' }
    if (levels.length === count && count > 20) return { ignored: 'a different text in every row' }
    return 'categorical'
  }
  if (distinct.size < 2) return { ignored: 'constant' }
  if (reading === 'date') return 'date'
  if (looksLikeId(raw)) return { ignored: 'numbers its rows' }
  if (isWhole) return 'integer'
  const some = sampled(values)
  if (low > 0 && skewnessOf(some) > SKEWED && Math.abs(skewnessOf(some.map(Math.log))) < skewnessOf(some))
    return 'positive'
  return 'continuous'
}

/** What the flow sees of a value before it is standardised, in the middle of its step. */
const seen = ({ kind, low, high, step = 0 }: Pick<Column, 'kind' | 'low' | 'high' | 'step'>, value: number): number => {
  if (kind === 'positive') return Math.log(value)
  if (kind === 'bounded' || kind === 'angle') return boundedLogit(low, high, value)
  return value + step / 2
}

/** The margin of bounded columns, so that both bounds are finite. */
export const MARGIN = 0.005

export const boundedLogit = (low: number, high: number, value: number): number => {
  const p = MARGIN + ((1 - 2 * MARGIN) * (value - low)) / (high - low)
  return Math.log(p / (1 - p))
}

/** The angle of the mean direction. */
const meanAngle = (values: Float64Array, period: number): number => {
  const turn = (2 * Math.PI) / period
  return Math.atan2(meanOf(values.map((v) => Math.sin(v * turn))), meanOf(values.map((v) => Math.cos(v * turn)))) / turn
}

/** An angle in the period that begins at `low`. */
export const wrapped = (value: number, low: number, period: number): number =>
  value - Math.floor((value - low) / period) * period

const stepOf = (raw: RawColumn, kind: Kind, numbers: readonly number[]): number | undefined => {
  if (kind === 'categorical') return 1
  if (kind === 'integer') return numbers[0] ?? (raw.statistics.isWhole ? 1 : (gridOf(sampled(raw.values)) ?? 1))
  return kind === 'date' && raw.statistics.isWhole ? 1 : undefined
}

/** Quantiles with the normal quantiles of their ranks, without repetitions. */
const knotsOf = (values: Float64Array): readonly (readonly [value: number, normal: number])[] => {
  const sorted = values.slice().sort()
  const edge = 1 / (2 * sorted.length)
  const all = Array.from({ length: PIECES + 1 }, (_, i) => {
    const share = i / PIECES
    return [quantile(sorted, share), normalQuantile(Math.min(1 - edge, Math.max(edge, share)))] as const
  })
  const least = (sorted.at(-1)! - sorted[0]!) * 1e-4
  // values that repeat would make pieces of no width
  return all.reduce<(readonly [number, number])[]>((kept, knot) => {
    if (kept.length === 0 || knot[0] - kept.at(-1)![0] > least) kept.push(knot)
    return kept
  }, [])
}

const warningsOf = (raw: RawColumn, kind: Kind, column: Column): readonly string[] => {
  const { name } = raw
  const { mean, deviation } = column
  const values = sampled(raw.values)
  const isReal = kind === 'continuous' || kind === 'positive' || kind === 'quantile'
  const sorted = values.slice().sort()
  const grid = isReal ? gridOf(values) : undefined
  const counts = new Map<number, number>()
  if (isReal) for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const [commonest = 0, times = 0] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0])
  const share = times / Math.max(1, values.length)
  const spread = quantile(sorted, 0.75) - quantile(sorted, 0.25)
  const extreme = Math.max(sorted.at(-1)! - quantile(sorted, 0.5), quantile(sorted, 0.5) - sorted[0]!)
  return [
    ...(grid !== undefined && counts.size < values.length / 4
      ? [
          `column '${name}' repeats multiples of ${grid}, so its density has no bound; to dequantise it: --columns ${name}=integer:${grid}`,
        ]
      : share > REPEATED
        ? [
            `column '${name}' is ${commonest} in ${(100 * share).toFixed(0)} % of the rows, where its density has no bound; leave it out (${name}=ignore), or dequantise it (${name}=integer:<step>)`,
          ]
        : []),
    ...(kind === 'continuous' && spread > 0 && extreme > HEAVY * spread
      ? [`column '${name}' has a heavy tail; --columns ${name}=quantile brings its extremes near`]
      : []),
    ...(Math.abs(mean) > FAR * deviation && !['positive', 'bounded', 'angle'].includes(kind)
      ? [
          `column '${name}' lies ${(Math.abs(mean) / deviation).toExponential(0)} deviations from 0 and loses digits of float32; subtract a number from it`,
        ]
      : []),
  ]
}

/**
 * Fits a column.
 *
 * @param op for errors: the file
 * @throws DiffeoException with a format error, if the values do not fit the kind that was chosen
 */
export const fitColumn = (op: string, raw: RawColumn): Fitted => {
  const { name, reading, statistics, values, choice, levels } = raw
  if (choice?.kind === 'ignore') return { ignored: 'as chosen' }
  const guess = choice?.kind ?? guessed(raw)
  if (typeof guess !== 'string') return guess
  const kind = guess
  const numbers = choice?.numbers ?? []
  const refuse = (expected: string, got: string, fix: string): DiffeoException =>
    new DiffeoException(formatError(`${op} column '${name}'`, expected, got, fix))
  if (statistics.count === 0) throw refuse('values', 'none', `leave it out: --columns ${name}=ignore`)
  if (kind === 'categorical') {
    if (reading !== 'text') throw new Error('a categorical column is read as text')
    if (levels.length < 2)
      throw refuse('at least two levels', `${levels.length}`, `leave it out: --columns ${name}=ignore`)
    if (levels.length > MOST_LEVELS)
      throw refuse(`at most ${MOST_LEVELS} levels`, 'more', `leave it out: --columns ${name}=ignore`)
  } else if (reading === 'text')
    throw refuse(`numbers for ${kind}`, 'text', `choose categorical: --columns ${name}=categorical`)
  if (kind === 'positive' && statistics.low <= 0)
    throw refuse('numbers above 0', `${statistics.low}`, `choose another kind: --columns ${name}=continuous`)
  const [first = 2 * Math.PI, second = 0] = numbers
  const step = stepOf(raw, kind, numbers)
  let { low, high } = statistics
  let own = values
  if (kind === 'bounded') {
    if (low < first || high > second)
      throw refuse(`numbers from ${first} to ${second}`, `${low < first ? low : high}`, 'widen the bounds')
    ;[low, high] = [first, second]
  }
  if (kind === 'angle') {
    low = meanAngle(values, first) - first / 2
    high = low + first
    own = values.map((value) => wrapped(value, low, first))
  }
  if (step !== undefined && kind === 'integer' && numbers.length > 0) {
    const off = values.find((value) => Math.abs(value / step - Math.round(value / step)) > 1e-6)
    if (off !== undefined) throw refuse(`multiples of ${step}`, `${off}`, 'choose another step')
  }
  const shape = { kind, low, high, ...(step !== undefined && { step }) }
  const sights = own.map((value) => seen(shape, value))
  const knots = kind === 'quantile' ? knotsOf(sights) : undefined
  // a quantile spline standardises
  const mean = knots ? 0 : meanOf(sights)
  const deviation = knots ? 1 : deviationOf(sights, mean)
  if (!(deviation > 0) || (knots && knots.length < 2)) return { ignored: 'constant' }
  const column: Column = {
    name,
    ...shape,
    mean,
    deviation,
    ...(kind === 'categorical' && { levels }),
    ...(knots && { knots }),
  }
  return { column, warnings: warningsOf(raw, kind, column) }
}

/** Whether a table has more distinct values than can be counted. */
export const isMany = ({ distinct }: Statistics): boolean => distinct.size > MOST_DISTINCT

/** Refuses a table of which nothing can be learned. */
export const requireColumns = (op: string, columns: readonly Column[]): void => {
  if (columns.length === 0)
    throw new DiffeoException(
      usageError(op, 'at least one column that varies', 'none', 'choose the kinds with --columns'),
    )
}
