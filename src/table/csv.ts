/**
 * CSV and TSV files (RFC 4180) by Papa Parse: quotes, line breaks in quotes, CRLF, a byte-order mark, and the separator
 * found in the first rows.
 *
 * @module
 */
import type { Readable } from 'node:stream'
import Papa from 'papaparse'
import { DiffeoException, formatError } from '../error.js'
import { type Row, raggedRow, type Source, type TextOptions } from './row.js'
import { streamFailure, textOf } from './text.js'

/** The rows of a stream. The stream waits while a batch is used. */
async function* parsed(
  name: string,
  text: Readable,
  { delimiter }: TextOptions,
): AsyncGenerator<readonly (readonly string[])[]> {
  const batches: Papa.ParseResult<string[]>[] = []
  let handle: Papa.Parser | undefined
  let ended = false
  let failure: DiffeoException | undefined
  let wake = (): void => undefined
  const fail = (thrown: unknown): void => {
    failure = streamFailure(name, thrown)
    wake()
  }
  text.on('error', fail)
  Papa.parse<string[]>(text, {
    ...(delimiter !== undefined && { delimiter }),
    skipEmptyLines: true,
    chunk: (result, parser) => {
      batches.push(result)
      handle = parser
      // a paused parser does not pause its stream
      parser.pause()
      text.pause()
      wake()
    },
    complete: () => {
      ended = true
      wake()
    },
    error: fail,
  })
  let before = 0
  try {
    while (true) {
      const result = batches.shift()
      if (result !== undefined) {
        const quote = result.errors.find(({ type }) => type === 'Quotes')
        if (quote !== undefined)
          throw new DiffeoException(
            formatError(
              `${name} row ${(before + (quote.row ?? 0)).toLocaleString('en')}`,
              'quotes in pairs',
              quote.code === 'MissingQuotes' ? 'a quote that is never closed' : 'a closing quote inside a cell',
              'double every quote inside a quoted cell',
            ),
          )
        if (result.data.length > 0) yield result.data
        before += result.data.length
        text.resume()
        handle?.resume()
      } else if (failure !== undefined) throw failure
      else if (ended) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    handle?.abort()
    text.destroy()
  }
}

/** Opens a CSV file whose first row has the names of the columns. */
export const openCsv = async (path: string, options: TextOptions): Promise<Source> => {
  const reading = { ...(/\.tsv(\.gz)?$/i.test(path) && { delimiter: '\t' }), ...options }
  const rows = async function* (): AsyncGenerator<readonly (readonly string[])[]> {
    yield* parsed(path, await textOf(path), reading)
  }
  const first = await rows().next()
  const header = first.done === true ? undefined : first.value[0]
  if (header === undefined)
    throw new DiffeoException(
      formatError(path, 'a row of names, then rows of values', 'an empty file', 'check the path'),
    )
  const columns = header.map((name, i) => (i === 0 ? name.replace(/^\ufeff/, '') : name))
  if (columns.every((name) => name.trim() !== '' && Number.isFinite(Number(name))))
    throw new DiffeoException(
      formatError(path, 'the names of the columns in the first row', 'numbers', 'add a first row with the names'),
    )
  return {
    name: path,
    columns,
    batches: async function* (): AsyncGenerator<readonly Row[]> {
      let row = 0
      let isFirst = true
      for await (const batch of rows()) {
        const values = isFirst ? batch.slice(1) : batch
        isFirst = false
        for (const cells of values) {
          row += 1
          if (cells.length !== columns.length) throw raggedRow(path, row, columns.length, cells.length)
        }
        yield values
      }
    },
  }
}
