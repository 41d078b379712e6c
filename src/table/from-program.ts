/**
 * Tables from rows or columns of a program.
 *
 * @module
 */
import { DiffeoException, usageError } from '../error.js'
import type { Cell, Row } from './row.js'
import { type Table, type TableOptions, tableFromRows } from './table.js'

/** Rows as records, or columns by their names: lists of the same length. */
export type TableData = readonly Readonly<Record<string, Cell>>[] | Readonly<Record<string, ArrayLike<Cell>>>

const isRecords = (data: TableData): data is readonly Readonly<Record<string, Cell>>[] => Array.isArray(data)

/**
 * A table from records, or from columns by their names.
 *
 * @throws DiffeoException if there are fewer than two rows, columns differ in length, or a cell does not fit its column
 * @example tableFrom([{ city: 'Rome', rooms: 3 }, { city: 'Oslo', rooms: 2 }])
 * @example tableFrom({ x: new Float64Array([1.5, 2, 3.25]), y: [0.1, 0.2, 0.4] })
 */
export const tableFrom = (data: TableData, options: Omit<TableOptions, 'delimiter'> = {}): Table => {
  if (typeof data !== 'object' || data === null)
    throw new DiffeoException(usageError('tableFrom', 'records, or columns by name', `${typeof data}`))
  const columns = isRecords(data) ? Object.keys(data[0] ?? {}) : Object.keys(data)
  const [first] = columns
  const count = isRecords(data) ? data.length : first === undefined ? 0 : data[first]!.length
  if (!isRecords(data)) {
    const other = columns.find((name) => data[name]!.length !== count)
    if (other !== undefined)
      throw new DiffeoException(
        usageError('tableFrom', `columns of ${count} values, as ${first} has`, `${other} with ${data[other]!.length}`),
      )
  }
  const rows = Array.from(
    { length: count },
    (_, i): Row => columns.map((name) => (isRecords(data) ? data[i]![name] : data[name]![i])),
  )
  return tableFromRows('tableFrom', columns, rows, options)
}
