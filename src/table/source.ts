/**
 * Rows of a table in a file, read in batches: no format holds more than a batch in memory, except archives of arrays.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { DiffeoException, fileError, formatError } from '../error.js'
import { openCsv } from './csv.js'
import { openJsonLines } from './json-lines.js'
import { openNpyTable, openNpz } from './numpy.js'
import { openParquet } from './parquet.js'
import type { Source, TextOptions } from './row.js'

const CSV = /\.(csv|tsv|txt)(\.gz)?$/i

/** The formats, by the ends of their names. */
const formats: readonly (readonly [name: RegExp, open: (path: string, options: TextOptions) => Promise<Source>])[] = [
  [CSV, openCsv],
  [/\.(jsonl|ndjson)(\.gz)?$/i, openJsonLines],
  [/\.parquet$/i, openParquet],
  [/\.npy$/i, openNpyTable],
  [/\.npz$/i, openNpz],
]

/** Whether a path has the name of a table. A `.npy` file may also hold images. */
export const isTable = (path: string): boolean => formats.some(([name]) => name.test(path))

/** Names that are missing or repeated get a number. */
const unique = (names: readonly string[]): readonly string[] => {
  const taken = new Set<string>()
  return names.map((name, i) => {
    const stem = name.trim() === '' ? `column${i + 1}` : name.trim()
    let unused = stem
    for (let n = 2; taken.has(unused); n++) unused = `${stem}_${n}`
    taken.add(unused)
    return unused
  })
}

/**
 * Opens a table: CSV, TSV, JSON lines, Parquet, `.npy` or `.npz`, by the end of its name.
 *
 * @throws DiffeoException (as a rejection) if there is no such file, or it is of another format
 */
export const openTable = async (path: string, options: TextOptions = {}): Promise<Source> => {
  if (!existsSync(path))
    throw new DiffeoException(fileError(`read ${path}`, 'a file', 'nothing there', 'check the path'))
  if (statSync(path).isDirectory())
    throw new DiffeoException(fileError(`read ${path}`, 'a file', 'a folder', 'name a file in it'))
  const [, open] = formats.find(([name]) => name.test(path)) ?? []
  if (open === undefined)
    throw new DiffeoException(
      formatError(path, 'a name that ends in .csv, .tsv, .jsonl, .parquet, .npy or .npz', 'another', 'rename the file'),
    )
  const source = await open(path, options)
  if (source.columns.length === 0)
    throw new DiffeoException(formatError(path, 'at least one column', 'none', 'check that the file is complete'))
  return { ...source, columns: unique(source.columns) }
}
