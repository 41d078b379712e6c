/**
 * Images in files of equal records, read one by one, so the files may be of any size.
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

/** The input of {@link recordSet}. */
interface Records {
  readonly name: string
  readonly shape: ImageShape
  readonly files: readonly RecordFile[]
  /** The bytes from one record to the next. */
  readonly stride: number
  readonly labels?: Uint8Array
  readonly digest?: string
  /** Rearranges the bytes of an image to channels last; default: none. */
  readonly arrange?: (image: Uint8Array) => Uint8Array
}

/** Fills `into` from a position in a file. A file that ends too early has changed since it was opened. */
export const readAt = async (file: FileHandle, path: string, into: Uint8Array, position: number): Promise<void> => {
  const { bytesRead } = await file.read(into, 0, into.length, position)
  if (bytesRead < into.length)
    throw new DiffeoException(formatError(path, `at least ${position + into.length} bytes`, 'fewer', 'get it again'))
}

/** Runs `use` on an open file and closes it. Failures become errors that name the file. */
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

/** SHA-256 of the concatenated parts, in hexadecimal digits. */
export const sha256 = (...parts: ReadonlyArray<string | Uint8Array>): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

/** The length of a file in bytes. */
export const fileSize = (path: string): TE.TaskEither<DiffeoError, number> =>
  pipe(
    TE.tryCatch(() => stat(path), fileFailure('read', path)),
    TE.map(({ size }) => size),
  )

/** Creates the image set of records. */
export const recordSet = ({ files, stride, arrange, ...description }: Records): ImageSet => {
  const size = description.shape[0] * description.shape[1] * description.shape[2]
  const starts = files.map((_, i) => files.slice(0, i).reduce((sum, { count }) => sum + count, 0))
  return {
    ...description,
    count: files.reduce((sum, { count }) => sum + count, 0),
    read: async (indices) => {
      const out = new Uint8Array(indices.length * size)
      const places = [...indices].map((index, at) => {
        const file = starts.findLastIndex((start) => start <= index)
        return { at, file, record: index - starts[file]! }
      })
      await Promise.all(
        files.map(({ path, offset }, f) => {
          const inFile = places.filter(({ file }) => file === f)
          return inFile.length === 0
            ? undefined
            : withFile(path, (file) =>
                Promise.all(
                  inFile.map(async ({ at, record }) => {
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
