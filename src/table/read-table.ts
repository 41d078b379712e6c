/**
 * Tables in files.
 *
 * @module
 */
import { openTable } from './source.js'
import { type Table, type TableOptions, tableOf } from './table.js'

/**
 * Reads a table from a file: CSV, TSV, JSON lines, Parquet, `.npy` or `.npz`.
 *
 * @throws DiffeoException (as a rejection) if the file cannot be read, a row is longer or shorter than others, or a cell
 *   does not fit its column; the error names the row and the column
 * @example
 * const sales = await readTable('sales.csv', { columns: { discount: 'bounded:0:1' }, missing: 'drop' })
 * const model = await train(tabular(sales).density, tabular(sales), { key: key(0) })
 */
export const readTable = async (path: string, options: TableOptions = {}): Promise<Table> =>
  tableOf(await openTable(path, options), options)
