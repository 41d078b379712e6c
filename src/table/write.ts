/**
 * Tables as files that spreadsheets and pandas open: CSV, or Parquet by the optional package hyparquet-writer.
 *
 * @module
 */
import Papa from 'papaparse'
import { DiffeoException, usageError } from '../error.js'
import { type Column, displayed } from './column.js'
import { type ParquetColumn, parquetBytes } from './parquet.js'

/** A cell that is written: nothing, where a value is missing. */
export type Written = string | number | null

/** A table that is written. */
export interface WrittenTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Written[])[]
}

/** Rows of a flow as cells. A column whose indicator says that it is missing is empty, and the indicator is left out. */
export const cellsOf = (columns: readonly Column[], values: ArrayLike<number>): WrittenTable => {
  const width = columns.length
  const shown = columns.map((_, c) => c).filter((c) => columns[c]!.isIndicator !== true)
  return {
    columns: shown.map((c) => columns[c]!.name),
    rows: Array.from({ length: values.length / width }, (_, row) =>
      shown.map((c): Written => {
        const indicator = columns[c + 1]
        const isMissing = indicator?.isIndicator === true && Math.floor(values[row * width + c + 1]!) === 1
        const value = isMissing ? null : displayed(columns[c]!, values[row * width + c]!)
        return typeof value === 'number' && !Number.isFinite(value) ? null : value
      }),
    ),
  }
}

/**
 * Rows as lines of CSV. Text that a spreadsheet would run as a formula gets an apostrophe in front.
 *
 * @param withHeader whether the names of the columns come first
 */
export const csvText = ({ columns, rows }: WrittenTable, withHeader = true): string => {
  const text = Papa.unparse(
    [...(withHeader ? [columns] : []), ...rows].map((row) => [...row]),
    {
      // Papa Parse's own pattern misses cells with line breaks
      escapeFormulae: /^[=+\-@\t\r]/,
      newline: '\n',
    },
  )
  return text === '' ? '' : `${text}\n`
}

/** The bytes of a file, in the format of its name. */
export const tableBytes = async (op: string, path: string, table: WrittenTable): Promise<Uint8Array> => {
  if (/\.csv$/i.test(path)) return new TextEncoder().encode(csvText(table))
  if (!/\.parquet$/i.test(path))
    throw new DiffeoException(usageError(op, 'a file that ends in .csv or .parquet', `'${path}'`))
  const columns = table.columns.map((name, c): ParquetColumn => {
    const data = table.rows.map((row) => row[c])
    const isText = data.some((cell) => typeof cell === 'string')
    return {
      name,
      type: isText ? 'STRING' : 'DOUBLE',
      data: isText ? data.map((cell) => (cell === null ? null : `${cell}`)) : data,
    }
  })
  return parquetBytes(path, columns)
}
