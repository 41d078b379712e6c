/**
 * Rows of tables in files, and where they come from.
 *
 * @module
 */
import { DiffeoException, formatError } from '../error.js'

/** A value as a file holds it. Text that stands for a number stays text. */
export type Cell = string | number | bigint | boolean | Date | null | undefined

export type Row = readonly Cell[]

/** A table that can be read as often as needed. */
export interface Source {
  /** Its path, for errors. */
  readonly name: string
  /** The names of its columns, all different. */
  readonly columns: readonly string[]
  /** The rows from the first to the last, each with one cell for each column. */
  readonly batches: () => AsyncIterable<readonly Row[]>
}

/** How text in a file is read. */
export interface TextOptions {
  /** What separates cells. Default: comma, tab, semicolon or bar, whichever fits the first rows */
  readonly delimiter?: string
}

/** A row that is longer or shorter than the header. */
export const raggedRow = (name: string, row: number, columns: number, got: number): DiffeoException =>
  new DiffeoException(
    formatError(
      `${name} row ${row.toLocaleString('en')}`,
      `${columns} cells`,
      `${got}`,
      'fix that row, or quote cells that hold the separator',
    ),
  )
