/**
 * Samples of a run on a table, as a file of rows.
 *
 * @module
 */
import { orThrow } from '../../error.js'
import { writeFileAtomic } from '../../file.js'
import { cellsOf, tableBytes, type Written } from '../../table/write.js'
import type { Key } from '../../tensor/random.js'
import type { OpenRun } from '../run/open-run.js'
import { contextOf, openRows, type RunTable } from '../run/table-run.js'

interface Drawing {
  readonly n: number
  readonly key: Key
  /** The values of the columns that the flow is given. */
  readonly given?: Readonly<Record<string, string>> | undefined
  readonly temperature?: number
  /** Gets the number of rows drawn so far. */
  readonly heard?: (done: number) => void
}

/** Draws rows and writes them. Returns how many have a number that is not finite. */
export const writeRows = async (
  run: Pick<OpenRun, 'flow' | 'params'>,
  table: RunTable,
  to: string,
  { n, key, given, temperature, heard = () => undefined }: Drawing,
): Promise<number> => {
  const context = contextOf(table, given)
  const rows = openRows(run)
  const { modelled } = table.view
  const written: (readonly Written[])[] = []
  let columns: readonly string[] = []
  let notFinite = 0
  try {
    for await (const part of rows.draw(key, n, { context, ...(temperature !== undefined && { temperature }) })) {
      const width = modelled.length
      for (let row = 0; row < part.length / width; row++)
        if (!part.subarray(row * width, (row + 1) * width).every(Number.isFinite)) notFinite += 1
      const cells = cellsOf(modelled, part)
      columns = cells.columns
      for (const row of cells.rows) written.push([...row, ...Object.values(given ?? {})])
      heard(written.length)
    }
  } finally {
    await rows.dispose()
  }
  const all = { columns: [...columns, ...Object.keys(given ?? {})], rows: written }
  orThrow(await writeFileAtomic(to)(await tableBytes('--to', to, all))())
  return notFinite
}
