/**
 * Parquet files, by the optional packages hyparquet and hyparquet-writer, one group of rows after the other.
 *
 * @module
 */
import { DiffeoException, fileError, formatError } from '../error.js'
import { messageOf } from '../thrown.js'
import type { Cell, Row, Source } from './row.js'

/** Imports an optional package. */
const optional = async <M>(path: string, name: string, load: () => Promise<M>): Promise<M> => {
  try {
    return await load()
  } catch (thrown) {
    throw new DiffeoException(
      fileError(path, `the npm package ${name}`, messageOf(thrown).split('\n', 1)[0]!, `run \`npm install ${name}\``),
    )
  }
}

/** The most rows that are decoded at once. */
const BATCH = 65_536

/** Opens a Parquet file of plain columns. */
export const openParquet = async (path: string): Promise<Source> => {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetRead, parquetSchema } = await optional(
    `read ${path}`,
    'hyparquet',
    () => import('hyparquet'),
  )
  const refuse = (thrown: unknown): DiffeoException =>
    thrown instanceof DiffeoException
      ? thrown
      : new DiffeoException(formatError(path, 'a Parquet file', messageOf(thrown), 'write it again'))
  try {
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    const { children } = parquetSchema(metadata)
    const nested = children.find((child) => child.children.length > 0)
    if (nested !== undefined)
      throw new DiffeoException(
        formatError(path, 'columns of numbers or text', `the nested column '${nested.element.name}'`, 'flatten it'),
      )
    const columns = children.map(({ element }) => element.name)
    const total = Number(metadata.num_rows)
    return {
      name: path,
      columns,
      batches: async function* (): AsyncGenerator<readonly Row[]> {
        for (let rowStart = 0; rowStart < total; rowStart += BATCH) {
          let rows: readonly Row[] = []
          await parquetRead({
            file,
            metadata,
            rowStart,
            rowEnd: Math.min(total, rowStart + BATCH),
            rowFormat: 'array',
            onComplete: (read) => {
              rows = read as Cell[][]
            },
          }).catch((thrown: unknown) => {
            throw refuse(thrown)
          })
          yield rows
        }
      },
    }
  } catch (thrown) {
    throw refuse(thrown)
  }
}

/** A column of one kind of values. */
export interface ParquetColumn {
  readonly name: string
  readonly type: 'DOUBLE' | 'INT64' | 'STRING' | 'TIMESTAMP'
  readonly data: readonly Cell[]
}

/** The bytes of a Parquet file. */
export const parquetBytes = async (path: string, columns: readonly ParquetColumn[]): Promise<Uint8Array> => {
  const { parquetWriteBuffer } = await optional(`write ${path}`, 'hyparquet-writer', () => import('hyparquet-writer'))
  return new Uint8Array(
    parquetWriteBuffer({ columnData: columns.map((column) => ({ ...column, data: [...column.data] })) }),
  )
}
