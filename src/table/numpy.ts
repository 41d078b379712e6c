/**
 * Arrays of NumPy as tables: a `.npy` file of shape N×D or N, and a `.npz` archive of such arrays with the same N.
 * Floats and integers of every width and byte order, in C or Fortran order. A `.npy` file in C order is read in pieces.
 *
 * @module
 */
import { basename } from 'node:path'
import type * as TE from 'fp-ts/lib/TaskEither.js'
import { LARGEST_HEADER, type NpyHeader, parseHeader } from '../data/npy.js'
import { readerOf } from '../data/npy-type.js'
import { fileSize, readAt, withFile } from '../data/records.js'
import { listZip, readZip } from '../data/zip.js'
import { type DiffeoError, DiffeoException, formatError, orThrow } from '../error.js'
import { readBytes } from '../file.js'
import type { Row, Source } from './row.js'

const BATCH = 16_384
/** Arrays in Fortran order are held in memory. */
const LARGEST = 2 ** 30

interface Matrix extends NpyHeader {
  readonly rows: number
  readonly width: number
  readonly read: (view: DataView, at: number) => number
}

/** Checks that an array is a table of numbers of the given length in bytes. */
const matrixOf = (name: string, size: number, header: NpyHeader): Matrix => {
  const { shape, type, offset } = header
  const [rows = 0, width = 1] = shape
  const refuse = (expected: string, got: string, fix: string): DiffeoException =>
    new DiffeoException(formatError(name, expected, got, fix))
  const read = readerOf(type)
  if (read === undefined)
    throw refuse(
      'numbers',
      type.text,
      type.fields.length > 0 ? 'save its fields as one array, or as CSV' : "convert it: x.astype('float32')",
    )
  if (shape.length === 0 || shape.length > 2)
    throw refuse('an array of shape N×D', shape.join('×') || 'a single number', 'reshape it: x.reshape(len(x), -1)')
  const wanted = offset + rows * width * type.size
  if (wanted !== size) throw refuse(`${wanted} bytes for its shape`, `${size} bytes`, 'copy or save it again')
  return { ...header, rows, width, read: (view, at) => read(view, at, type.littleEndian) }
}

const namesOf = (stem: string, { width, shape }: Matrix): readonly string[] =>
  shape.length === 1 ? [stem] : Array.from({ length: width }, (_, i) => `${stem}${i}`)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** The number of a row and column of an array in memory. */
const numberIn = (bytes: Uint8Array, { offset, firstFastest, rows, width, type, read }: Matrix) => {
  const view = viewOf(bytes)
  return (row: number, column: number): number =>
    read(view, offset + type.size * (firstFastest ? column * rows + row : row * width + column))
}

/** Rows of arrays in memory, side by side. */
function* rowsOf(rows: number, columns: readonly ((row: number) => number)[]): Generator<readonly Row[]> {
  for (let from = 0; from < rows; from += BATCH)
    yield Array.from({ length: Math.min(BATCH, rows - from) }, (_, i) => columns.map((at) => at(from + i)))
}

const startOf = (path: string, size: number): Promise<Uint8Array> =>
  withFile(path, async (file) => {
    const start = new Uint8Array(Math.min(size, LARGEST_HEADER + 12))
    await readAt(file, path, start, 0)
    return start
  })

const orRejected = async <A>(task: TE.TaskEither<DiffeoError, A>): Promise<A> => orThrow(await task())

/** Opens a `.npy` file. The columns are `x0`, `x1`, …, or `x` for one dimension. */
export const openNpyTable = async (path: string): Promise<Source> => {
  const size = await orRejected(fileSize(path))
  const matrix = matrixOf(path, size, orThrow(parseHeader(path)(await startOf(path, size))))
  const columns = namesOf('x', matrix)
  const { rows, width, type, offset } = matrix
  if (matrix.firstFastest && matrix.shape.length === 2)
    return {
      name: path,
      columns,
      batches: async function* () {
        const at = numberIn(await orRejected(readBytes(path, LARGEST)), matrix)
        yield* rowsOf(
          rows,
          columns.map((_, column) => (row) => at(row, column)),
        )
      },
    }
  const piece = { ...matrix, offset: 0, firstFastest: false }
  return {
    name: path,
    columns,
    batches: async function* () {
      for (let from = 0; from < rows; from += BATCH) {
        const count = Math.min(BATCH, rows - from)
        const bytes = new Uint8Array(count * width * type.size)
        await withFile(path, (file) => readAt(file, path, bytes, offset + from * width * type.size))
        const at = numberIn(bytes, piece)
        yield* rowsOf(
          count,
          columns.map((_, column) => (row) => at(row, column)),
        )
      }
    },
  }
}

/** Opens a `.npz` archive. Its arrays stand side by side; an array of one dimension is a column of its name. */
export const openNpz = async (path: string): Promise<Source> => {
  const entries = await orRejected(listZip(path, (name) => name.endsWith('.npy')))
  const arrays = await Promise.all(
    entries.map(async (entry) => {
      const name = basename(entry.name, '.npy')
      const bytes = await readZip(path, entry)
      const where = `${path}: ${name}`
      return { name, bytes, matrix: matrixOf(where, bytes.length, orThrow(parseHeader(where)(bytes))) }
    }),
  )
  const [first] = arrays
  if (first === undefined)
    throw new DiffeoException(formatError(path, 'arrays', 'an empty archive', 'save it with numpy.savez'))
  const other = arrays.find(({ matrix }) => matrix.rows !== first.matrix.rows)
  if (other !== undefined)
    throw new DiffeoException(
      formatError(
        path,
        `arrays of ${first.matrix.rows} rows, as '${first.name}' has`,
        `'${other.name}' with ${other.matrix.rows}`,
        'save the array you mean as .npy',
      ),
    )
  const columns = arrays.flatMap(({ name, bytes, matrix }) => {
    const at = numberIn(bytes, matrix)
    const names = namesOf(arrays.length === 1 && matrix.shape.length === 2 ? 'x' : name, matrix)
    return names.map((column, i) => ({ column, at: (row: number) => at(row, i) }))
  })
  return {
    name: path,
    columns: columns.map(({ column }) => column),
    batches: async function* () {
      yield* rowsOf(
        first.matrix.rows,
        columns.map(({ at }) => at),
      )
    },
  }
}
