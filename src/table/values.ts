/**
 * Cells as numbers: what the first rows of a column hold decides how all of them are read.
 *
 * @module
 */
import { DiffeoException, formatError } from '../error.js'
import { type Column, daysOf, parseDate } from './column.js'
import type { Cell, Row } from './row.js'
import { quotedList } from './words.js'

/** How the cells of a column are read. */
export type Reading = 'number' | 'decimal comma' | 'date' | 'text'

/** Text that stands for a value that is not there. */
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '#n/a', '<na>', 'nil', '-nan', '?'])

export const isMissing = (cell: Cell): boolean => {
  if (typeof cell === 'number') return Number.isNaN(cell)
  if (typeof cell === 'string') {
    // a cell that begins with a digit has a value
    const first = cell.charCodeAt(0)
    return !(first >= 48 && first <= 57) && MISSING.has(cell.trim().toLowerCase())
  }
  return cell === null || cell === undefined || (cell instanceof Date && Number.isNaN(cell.getTime()))
}

/** 1,234,567.8 */
const GROUPED = /^\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$/
/** 1.234.567,8 and 3,14 */
const COMMA = /^\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s*$/
const INFINITE = /^\s*[+-]?inf(inity)?\s*$/i

/** Whether `Number` would read text in another base: `0x1f`, ` 0b1`. */
const hasBase = (text: string): boolean => /^\s*[+-]?0[xob]/i.test(text)

const fromDecimal = (text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number)) {
    // almost all cells are plain numbers, whose third character is no letter of a base
    const isPlain = text.charCodeAt(1) < 88 && !(text.charCodeAt(2) >= 88)
    return isPlain || text.length < 3 || !hasBase(text) ? number : Number.NaN
  }
  return GROUPED.test(text) ? Number(text.replaceAll(',', '')) : Number.NaN
}
const fromComma = (text: string): number =>
  COMMA.test(text) ? Number(text.replaceAll('.', '').replace(',', '.')) : Number.NaN

/** The number of a cell that is not missing; NaN, if the cell holds something else. */
export const numberOf = (reading: Exclude<Reading, 'text'>, cell: Cell): number => {
  if (cell instanceof Date) return daysOf(cell.getTime())
  if (typeof cell === 'string')
    return reading === 'date' ? parseDate(cell.trim()) : reading === 'number' ? fromDecimal(cell) : fromComma(cell)
  return typeof cell === 'boolean' ? Number(cell) : Number(cell)
}

const textOf = (cell: Cell): string => (cell instanceof Date ? cell.toISOString() : String(cell).trim())

/** The readings of columns by their first rows: text, where nothing else fits all of them. */
export const readingsOf = (columns: readonly string[], rows: readonly Row[]): readonly Reading[] =>
  columns.map((_, c) => {
    const cells = rows.map((row) => row[c]).filter((cell) => !isMissing(cell))
    if (cells.length === 0) return 'number'
    if (cells.some((cell) => typeof cell === 'boolean')) return 'text'
    if (cells.every((cell) => cell instanceof Date)) return 'date'
    const fits = (reading: Exclude<Reading, 'text'>): boolean =>
      cells.every(
        (cell) => Number.isFinite(numberOf(reading, cell)) || (typeof cell === 'string' && INFINITE.test(cell)),
      )
    if (fits('number')) return 'number'
    if (fits('date')) return 'date'
    // a list of years or of short words with commas is text; a number with a decimal comma has one in some cell
    return cells.some((cell) => typeof cell === 'string' && cell.includes(',')) && fits('decimal comma')
      ? 'decimal comma'
      : 'text'
  })

/** The level of text in a column, and whether it is a new one. */
export interface Levels {
  /** −1, if there are more than can be kept. */
  readonly indexOf: (text: string) => number
  readonly names: () => readonly string[]
}

/** More levels of text than that are no categories. */
export const MOST_LEVELS = 256

export const openLevels = (): Levels => {
  const known = new Map<string, number>()
  return {
    indexOf: (text) => {
      const index = known.get(text)
      if (index !== undefined) return index
      // one more than the most, so that too many can be seen
      if (known.size > MOST_LEVELS) return -1
      known.set(text, known.size)
      return known.size - 1
    },
    names: () => [...known.keys()],
  }
}

const refused = (name: string, row: number, column: string, expected: string, got: string, fix: string) =>
  new DiffeoException(
    formatError(`${name} row ${row.toLocaleString('en')}`, `${expected} in column '${column}'`, got, fix),
  )

const shownCell = (cell: Cell): string => {
  const text = textOf(cell)
  return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`
}

const noun: Readonly<Record<Exclude<Reading, 'text'>, string>> = {
  number: 'a number',
  'decimal comma': 'a number with a decimal comma',
  date: 'a date',
}

/** A cell as a number, NaN if it is missing. Text gets the index of its level. */
export const cellNumber = (
  name: string,
  row: number,
  column: string,
  reading: Reading,
  levels: Levels | undefined,
  cell: Cell,
): number => {
  if (isMissing(cell)) return Number.NaN
  if (reading === 'text') return levels!.indexOf(textOf(cell))
  const number = numberOf(reading, cell)
  if (Number.isFinite(number)) return number
  if (typeof cell === 'number' || (typeof cell === 'string' && INFINITE.test(cell)))
    throw refused(name, row, column, 'a finite number', shownCell(cell), 'remove or replace it')
  throw refused(
    name,
    row,
    column,
    noun[reading],
    shownCell(cell),
    `fix that cell, or read the column as text: --columns ${column}=categorical`,
  )
}

/** The levels of a column that was fitted, which accept no others. */
export const fittedLevels = (column: Column, where: (text: string) => DiffeoException): Levels => {
  const known = new Map((column.levels ?? []).map((level, i) => [level, i]))
  return {
    indexOf: (text) => {
      const index = known.get(text)
      if (index === undefined) throw where(text)
      return index
    },
    names: () => [...known.keys()],
  }
}

/** Text that a fitted column does not have among its levels. */
export const unknownLevel = (name: string, row: number, { name: column, levels = [] }: Column, text: string) =>
  refused(name, row, column, `one of ${quotedList(levels)}`, shownCell(text), 'fix that cell, or train on it too')
