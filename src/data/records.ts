/**
 * Images that lie in files as records of one size: read one by one where they lie, however large the files are.
 *
 *   record i of a file of offset o:  bytes o + i·stride, …, of which the image is the last H·W·C
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, DiffeoException, formatError } from '../error.js'
import { fileFailure } from '../file.js'
import type { ImageSet, ImageShape } from './image-set.js'

/** A file of records. */
interface RecordFile {
  readonly path: string
  /** The bytes before the first record. */
  readonly offset: number
  readonly count: number
}

/** What a set of records is. */
interface Records {
  readonly name: string
  readonly shape: ImageShape
  readonly files: readonly RecordFile[]
  /** The bytes from one record to the next. */
  readonly stride: number
  readonly labels?: Uint8Array
  readonly digest?: string
  /** How an image as it lies becomes one with channels last; as it is unless told. */
  readonly arrange?: (image: Uint8Array) => Uint8Array
}

/** Fills `into` from a place in a file: a file that ends before is not what it was. */
export const readAt = async (file: FileHandle, path: string, into: Uint8Array, position: number): Promise<void> => {
  const { bytesRead } = await file.read(into, 0, into.length, position)
  if (bytesRead < into.length)
    throw new DiffeoException(formatError(path, `at least ${position + into.length} bytes`, 'fewer', 'get it again'))
}

/** Runs `use` on an open file and closes it; whatever fails is a sentence about the file. */
export const withFile = async <A>(path: string, use: (file: FileHandle) => Promise<A>): Promise<A> => {
  try {
    const file = await open(path)
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  } catch (thrown) {
    throw thrown instanceof DiffeoException ? thrown : new DiffeoException(fileFailure('read', path)(thrown))
  }
}

/** SHA-256, in hexadecimal digits, of parts in their order. */
export const sha256 = (...parts: ReadonlyArray<string | Uint8Array>): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

/** The length of a file in bytes. */
export const fileSize = (path: string): TE.TaskEither<DiffeoError, number> =>
  pipe(
    TE.tryCatch(() => stat(path), fileFailure('read', path)),
    TE.map(({ size }) => size),
  )

/** The image set of records. */
export const recordSet = ({ files, stride, arrange, ...rest }: Records): ImageSet => {
  const size = rest.shape[0] * rest.shape[1] * rest.shape[2]
  const starts = files.map((_, i) => files.slice(0, i).reduce((sum, { count }) => sum + count, 0))
  return {
    ...rest,
    count: files.reduce((sum, { count }) => sum + count, 0),
    read: async (indices) => {
      const out = new Uint8Array(indices.length * size)
      const places = [...indices].map((index, at) => {
        const file = starts.findLastIndex((start) => start <= index)
        return { at, file, record: index - starts[file]! }
      })
      await Promise.all(
        files.map(({ path, offset }, f) => {
          const own = places.filter(({ file }) => file === f)
          return own.length === 0
            ? undefined
            : withFile(path, (file) =>
                Promise.all(
                  own.map(async ({ at, record }) => {
                    const image = out.subarray(at * size, (at + 1) * size)
                    await readAt(file, path, image, offset + (record + 1) * stride - size)
                    if (arrange !== undefined) image.set(arrange(image))
                  }),
                ),
              )
        }),
      )
      return out
    },
  }
}
