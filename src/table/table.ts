/**
 * Tables in memory: rows of numbers, and what each column of them means.
 *
 * Reading takes one pass over the file. Of a table with more values than `MOST_VALUES`, a random sample of the rows is kept
 * (Vitter 1985, algorithm R), so memory is bounded whatever the size of the file.
 *
 * @module
 */
import { DiffeoException, formatError } from '../error.js'
import { foldIn, type Key, key as keyOf, uniformArray } from '../tensor/random.js'
import { type Column, columnChoice, requireNames } from './column.js'
import { fitColumn, requireColumns, wrapped } from './fit.js'
import type { Row, Source, TextOptions } from './row.js'
import { addValue, noStatistics } from './statistics.js'
import { cellNumber, fittedLevels, openLevels, type Reading, readingsOf, unknownLevel } from './values.js'
import { counted, quotedList } from './words.js'

/** What to do with rows that lack values. */
export type Missing = 'refuse' | 'drop' | 'indicator'

export interface TableOptions extends TextOptions {
  /**
   * The kinds of columns, where they are not to be guessed: `{ age: 'integer', share: 'bounded:0:1', note: 'ignore' }`.
   */
  readonly columns?: Readonly<Record<string, string>>
  /** Default: 'refuse', which names the first missing value */
  readonly missing?: Missing
  /** The most rows to keep, chosen at random. Default: as many as have 10 million values */
  readonly limit?: number
  /** Chooses the rows to keep, if there are too many. Default: key(0) */
  readonly key?: Key
}

/** Rows of numbers with named columns. */
export interface Table {
  readonly name: string
  readonly columns: readonly Column[]
  readonly count: number
  /** The values of all rows, row after row. */
  readonly values: Float64Array
  /** The rows in the file. */
  readonly total: number
  /** The rows that were dropped, because they lack values. */
  readonly dropped: number
  /** The columns that are left out, with reasons. */
  readonly ignored: readonly { readonly name: string; readonly reason: string }[]
  /** What to know before training. */
  readonly warnings: readonly string[]
}

/** The most values that are kept: 80 MB, twice while the table is made. */
const MOST_VALUES = 10_000_000
/** The rows by which the types of columns are guessed. */
const FIRST = 10_000
const CHUNK = 8192

/** Rows that are kept, as numbers; if they are too many, a random sample of them. */
const reservoir = (width: number, most: number, key: Key) => {
  const chunks: Float64Array[] = []
  let seen = 0
  let block = -1
  let uniforms: ArrayLike<number> = []
  /** An integer below n. Two floats, because one has only 24 bits. */
  const below = (n: number): number => {
    const at = seen % 4096
    if (Math.floor(seen / 4096) !== block) {
      block = Math.floor(seen / 4096)
      uniforms = uniformArray(foldIn(key, block), 2 * 4096)
    }
    return Math.min(n - 1, Math.floor((uniforms[2 * at]! + uniforms[2 * at + 1]! * 2 ** -24) * n))
  }
  const put = (index: number, row: Float64Array): void => {
    const chunk = Math.floor(index / CHUNK)
    chunks[chunk] ??= new Float64Array(Math.min(CHUNK, most - chunk * CHUNK) * width)
    chunks[chunk].set(row, (index % CHUNK) * width)
  }
  return {
    add: (row: Float64Array): void => {
      if (seen < most) put(seen, row)
      else {
        const place = below(seen + 1)
        if (place < most) put(place, row)
      }
      seen += 1
    },
    rows: (): { readonly count: number; readonly at: (row: number, column: number) => number } => ({
      count: Math.min(seen, most),
      at: (row, column) => chunks[Math.floor(row / CHUNK)]![(row % CHUNK) * width + column]!,
    }),
  }
}

/** The first rows of a source, at most `FIRST`. */
const firstRows = async ({ batches }: Source): Promise<readonly Row[]> => {
  const rows: Row[] = []
  for await (const batch of batches()) {
    rows.push(...batch.slice(0, FIRST - rows.length))
    if (rows.length >= FIRST) break
  }
  return rows
}

/** The share of rows that occur before, among the first that are kept. */
const duplicates = (count: number, width: number, at: (row: number, column: number) => number): number => {
  const most = Math.min(count, 20_000)
  const rows = new Set<string>()
  for (let row = 0; row < most; row++) {
    let text = ''
    for (let c = 0; c < width; c++) text += `${at(row, c)},`
    rows.add(text)
  }
  return 1 - rows.size / Math.max(1, most)
}

/** The sort order of levels: numbers by size, else text by code units. */
const inOrder = (levels: readonly string[]): readonly string[] => {
  const isNumber = levels.every((level) => level !== '' && Number.isFinite(Number(level)))
  return [...levels].sort((a, b) => (isNumber ? Number(a) - Number(b) : a < b ? -1 : 1))
}

/** The name of the column that says where another has no value. */
const indicatorOf = (name: string): string => `${name} is missing`

const indicator = (name: string, share: number): Column => ({
  name: indicatorOf(name),
  kind: 'categorical',
  levels: ['no', 'yes'],
  step: 1,
  low: 0,
  high: 1,
  mean: share + 0.5,
  deviation: Math.sqrt(share * (1 - share)),
  isIndicator: true,
})

/** Collects rows, and makes a table of them. The first rows decide how cells are read. */
const collector = (
  op: string,
  name: string,
  names: readonly string[],
  first: readonly Row[],
  options: TableOptions,
) => {
  const { columns: choices = {}, missing = 'refuse', key = keyOf(0) } = options
  requireNames(`${op}: columns`, names, Object.keys(choices))
  const chosen = names.map((column) =>
    Object.hasOwn(choices, column) ? columnChoice(`${op}: column '${column}'`, choices[column]!) : undefined,
  )
  if (first.length < 2)
    throw new DiffeoException(formatError(name, 'at least 2 rows below the names', `${first.length}`, 'check the data'))
  const readings = readingsOf(names, first).map(
    (reading, c): Reading => (chosen[c]?.kind === 'categorical' ? 'text' : reading),
  )
  const used = names.map((_, c) => c).filter((c) => chosen[c]?.kind !== 'ignore')
  const levels = readings.map(() => openLevels())
  const statistics = names.map(noStatistics)
  const kept = reservoir(used.length, options.limit ?? Math.floor(MOST_VALUES / Math.max(1, used.length)), key)
  const row = new Float64Array(used.length)
  let total = 0
  let dropped = 0
  const add = (batch: readonly Row[]): void => {
    for (const cells of batch) {
      total += 1
      let isComplete = true
      for (let i = 0; i < used.length; i++) {
        const c = used[i]!
        const value = cellNumber(name, total, names[c]!, readings[c]!, levels[c], cells[c])
        row[i] = value
        if (Number.isNaN(value)) isComplete = false
      }
      if (!isComplete && missing === 'refuse') {
        const column = names[used[row.findIndex(Number.isNaN)]!]
        throw new DiffeoException(
          formatError(
            `${name} row ${total.toLocaleString('en')}`,
            `a value in column '${column}'`,
            'none',
            'drop such rows (--missing drop), model what is missing (--missing indicator), or leave the column out ' +
              `(--columns ${column}=ignore)`,
          ),
        )
      }
      if (!isComplete && missing === 'drop') {
        dropped += 1
        continue
      }
      for (let i = 0; i < used.length; i++) addValue(statistics[used[i]!]!, row[i]!)
      kept.add(row)
    }
  }
  const table = (): Table => {
    const { count, at } = kept.rows()
    if (count < 2)
      throw new DiffeoException(
        formatError(name, 'at least 2 rows without missing values', `${count}`, 'leave out columns with few values'),
      )
    const warnings: string[] = []
    const ignored: { name: string; reason: string }[] = []
    const columns: Column[] = []
    /** The value of a row for each column that is kept. */
    const places: ((row: number) => number)[] = []
    for (const [i, c] of used.entries()) {
      const column = names[c]!
      const own = levels[c]!.names()
      const sorted = inOrder(own)
      const rank = readings[c] === 'text' ? own.map((level) => sorted.indexOf(level)) : undefined
      const valueAt = (row: number): number => {
        const value = at(row, i)
        return rank === undefined || Number.isNaN(value) ? value : (rank[value] ?? -1)
      }
      const all = new Float64Array(count)
      let present = 0
      for (let row = 0; row < count; row++) {
        const value = valueAt(row)
        if (!Number.isNaN(value)) all[present++] = value
      }
      const fitted = fitColumn(op, {
        name: column,
        reading: readings[c]!,
        levels: sorted,
        statistics: statistics[c]!,
        values: all.subarray(0, present),
        choice: chosen[c],
      })
      if ('ignored' in fitted) {
        ignored.push({ name: column, reason: fitted.ignored })
        continue
      }
      const { kind, low, high } = fitted.column
      const place = kind === 'angle' ? (value: number) => wrapped(value, low, high - low) : (value: number) => value
      columns.push(fitted.column)
      warnings.push(...fitted.warnings)
      if (present === count) {
        places.push((row) => place(valueAt(row)))
        continue
      }
      // a missing value is taken from another row at random, and a second column says so
      const order = uniformArray(foldIn(key, 2 ** 20 + c), count)
      places.push((row) => {
        for (let from = row, step = Math.floor(order[row]! * count); ; from = (from + 1) % count) {
          const value = valueAt(from === row ? row : (from + step) % count)
          if (!Number.isNaN(value)) return place(value)
        }
      })
      columns.push(indicator(column, (count - present) / count))
      places.push((row) => (Number.isNaN(valueAt(row)) ? 1 : 0))
    }
    for (const [c, column] of names.entries())
      if (!used.includes(c)) ignored.push({ name: column, reason: 'as chosen' })
    requireColumns(op, columns)
    const width = columns.length
    const values = new Float64Array(count * width)
    for (let row = 0; row < count; row++) for (let c = 0; c < width; c++) values[row * width + c] = places[c]!(row)
    const repeated = duplicates(count, columns.length, (r, c) => values[r * columns.length + c]!)
    const isContinuous = columns.some(({ step }) => step === undefined)
    return {
      name,
      columns,
      count,
      values,
      total,
      dropped,
      ignored,
      warnings: [
        ...(count < total - dropped
          ? [`${counted(count, 'row')} of ${(total - dropped).toLocaleString('en')} are kept, chosen at random`]
          : []),
        ...(dropped > 0 ? [`${counted(dropped, 'row')} with missing values are dropped`] : []),
        ...warnings,
        ...(isContinuous && repeated > 0.01
          ? [`${(100 * repeated).toFixed(0)} % of the rows are duplicates; a density grows without bound there`]
          : []),
        ...(count < 50 * columns.length
          ? [
              `${counted(count, 'row')} are few for ${counted(columns.length, 'column')}: expect a smooth, inexact density`,
            ]
          : []),
      ],
    }
  }
  return { add, table }
}

/**
 * Reads a source into a table.
 *
 * @throws DiffeoException (as a rejection) as `readTable`
 */
export const tableOf = async (source: Source, options: TableOptions = {}): Promise<Table> => {
  const { add, table } = collector(`read ${source.name}`, source.name, source.columns, await firstRows(source), options)
  for await (const batch of source.batches()) add(batch)
  return table()
}

/** Rows of a program as a table. */
export const tableFromRows = (
  name: string,
  columns: readonly string[],
  rows: readonly Row[],
  options: TableOptions,
): Table => {
  const { add, table } = collector(name, name, columns, rows.slice(0, FIRST), options)
  add(rows)
  return table()
}

/** A batch of rows with the columns of a fitted table. */
export interface FittedRows {
  /** The number of the first row in the file, from 1. */
  readonly from: number
  readonly count: number
  /** Row after row; NaN in rows that lack a value. */
  readonly values: Float64Array
}

/**
 * Reads other rows as a fitted table has them. Rows that lack values are refused, or kept with NaN.
 *
 * @throws DiffeoException (as a rejection) if a column is not there, or a cell does not fit it
 */
export async function* fittedRows(
  source: Source,
  columns: readonly Column[],
  missing: 'refuse' | 'keep' = 'refuse',
): AsyncGenerator<FittedRows> {
  const { name } = source
  const places = columns.map((column) => {
    const own = column.isIndicator === true ? column.name.replace(/ is missing$/, '') : column.name
    const place = source.columns.indexOf(own)
    if (place >= 0) return place
    throw new DiffeoException(
      formatError(name, `the column '${own}', on which the flow was trained`, quotedList(source.columns), 'rename it'),
    )
  })
  const hasIndicator = columns.map((_, c) => columns[c + 1]?.isIndicator === true)
  const comma = new Set<number>()
  const first = await firstRows(source)
  readingsOf(source.columns, first).forEach((reading, c) => {
    if (reading === 'decimal comma') comma.add(c)
  })
  let row = 0
  for await (const batch of source.batches()) {
    const values = new Float64Array(batch.length * columns.length)
    const from = row + 1
    batch.forEach((cells, r) => {
      row += 1
      columns.forEach((column, c) => {
        const cell = cells[places[c]!]
        const reading =
          column.levels !== undefined
            ? 'text'
            : column.kind === 'date'
              ? 'date'
              : comma.has(places[c]!)
                ? 'decimal comma'
                : 'number'
        const put = (value: number): void => {
          values[r * columns.length + c] = value
        }
        if (column.isIndicator === true) {
          const before = values[r * columns.length + c - 1]!
          put(Number.isNaN(before) ? 1 : 0)
          // the flow ignores what stands in place of a missing value, up to its density
          if (Number.isNaN(before)) values[r * columns.length + c - 1] = middleOf(columns[c - 1]!)
          return
        }
        const levels = column.levels && fittedLevels(column, (text) => unknownLevel(name, row, column, text))
        const value = cellNumber(name, row, column.name, reading, levels, cell)
        if (Number.isNaN(value) && missing === 'refuse' && !hasIndicator[c])
          throw new DiffeoException(
            formatError(
              `${name} row ${row.toLocaleString('en')}`,
              `a value in column '${column.name}'`,
              'none',
              'fill it in, or skip such rows with --missing drop',
            ),
          )
        put(column.kind === 'angle' ? wrapped(value, column.low, column.high - column.low) : value)
      })
    })
    yield { from, count: batch.length, values }
  }
}

/** A value near the middle of a column. */
const middleOf = ({ mean, low, high, levels, step = 0 }: Column): number =>
  levels === undefined ? Math.min(high, Math.max(low, mean - step / 2)) : Math.floor(mean)
