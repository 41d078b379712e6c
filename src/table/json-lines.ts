/**
 * JSON lines: one object in each line, with the same keys in all.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import { DiffeoException, formatError } from '../error.js'
import type { Cell, Row, Source } from './row.js'
import { streamFailure, textOf } from './text.js'

const BATCH = 4096

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCell = (value: unknown): value is Cell =>
  value === null || !['object', 'function', 'symbol'].includes(typeof value)

async function* objectsIn(path: string): AsyncGenerator<readonly Readonly<Record<string, unknown>>[]> {
  const text = await textOf(path)
  const lines = createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })
  const failed = new Promise<never>((_, reject) => text.once('error', (thrown) => reject(streamFailure(path, thrown))))
  failed.catch(() => undefined)
  let batch: Readonly<Record<string, unknown>>[] = []
  let row = 0
  const next = lines[Symbol.asyncIterator]()
  while (true) {
    const line = await Promise.race([next.next(), failed])
    if (line.done === true) break
    const trimmed = line.value.replace(/^\ufeff/, '').trim()
    if (trimmed === '') continue
    row += 1
    const refuse = (got: string): DiffeoException =>
      new DiffeoException(
        formatError(`${path} row ${row.toLocaleString('en')}`, 'one JSON object in each line', got, 'fix that line'),
      )
    let value: unknown
    try {
      value = JSON.parse(trimmed)
    } catch {
      throw refuse('text that is not JSON')
    }
    if (!isObject(value)) throw refuse(Array.isArray(value) ? 'a list' : typeof value)
    batch.push(value)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Opens a file of JSON lines. The columns are the keys of the first object. */
export const openJsonLines = async (path: string): Promise<Source> => {
  const reading = objectsIn(path)
  const first = await reading.next()
  await reading.return(undefined)
  if (first.done === true)
    throw new DiffeoException(formatError(path, 'one JSON object in each line', 'an empty file', 'check the path'))
  const columns = Object.keys(first.value[0]!)
  const known = new Set(columns)
  return {
    name: path,
    columns,
    batches: async function* (): AsyncGenerator<readonly Row[]> {
      let row = 0
      for await (const batch of objectsIn(path))
        yield batch.map((object) => {
          row += 1
          const refuse = (expected: string, got: string): DiffeoException =>
            new DiffeoException(formatError(`${path} row ${row.toLocaleString('en')}`, expected, got, 'fix that line'))
          const extra = Object.keys(object).find((key) => !known.has(key))
          if (extra !== undefined) throw refuse('the keys of the first row', `'${extra}' too`)
          return columns.map((name): Cell => {
            const value = object[name]
            if (!isCell(value))
              throw refuse(`a number or text at '${name}'`, Array.isArray(value) ? 'a list' : 'an object')
            return value
          })
        })
    },
  }
}
