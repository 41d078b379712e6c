/**
 * Running figures of a column, over all rows that are read.
 *
 * @module
 */

export interface Statistics {
  count: number
  missing: number
  low: number
  high: number
  /** Whether every number is whole. */
  isWhole: boolean
  /** Whether each number is above the one before. */
  isAscending: boolean
  /** Distinct values, up to one more than `MOST_DISTINCT`. */
  readonly distinct: Set<number>
  last: number
}

export const MOST_DISTINCT = 1000

export const noStatistics = (): Statistics => ({
  count: 0,
  missing: 0,
  low: Number.POSITIVE_INFINITY,
  high: Number.NEGATIVE_INFINITY,
  isWhole: true,
  isAscending: true,
  distinct: new Set(),
  last: Number.NEGATIVE_INFINITY,
})

/** Adds a value; NaN is missing. */
export const addValue = (s: Statistics, value: number): void => {
  if (Number.isNaN(value)) {
    s.missing += 1
    return
  }
  s.count += 1
  if (value < s.low) s.low = value
  if (value > s.high) s.high = value
  if (s.isWhole && !Number.isInteger(value)) s.isWhole = false
  if (s.isAscending && value <= s.last) s.isAscending = false
  s.last = value
  if (s.distinct.size <= MOST_DISTINCT) s.distinct.add(value)
}

export const meanOf = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

/** The standard deviation, from centred squares. */
export const deviationOf = (values: ArrayLike<number>, mean = meanOf(values)): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (values[i]! - mean) ** 2
  return Math.sqrt(sum / values.length)
}

/** E[(x − m)³]/s³, the skewness. */
export const skewnessOf = (values: ArrayLike<number>): number => {
  const mean = meanOf(values)
  const deviation = deviationOf(values, mean)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += ((values[i]! - mean) / deviation) ** 3
  return sum / values.length
}

/** The value below which a share of sorted values lies, between neighbours in proportion. */
export const quantile = (sorted: ArrayLike<number>, share: number): number => {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below]!
  return low + (place - below) * ((sorted[below + 1] ?? low) - low)
}
