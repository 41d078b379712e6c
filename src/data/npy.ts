/**
 * NumPy's `.npy` files of images: unsigned bytes of shape N×H×W or N×H×W×C, C 1 or 3, read where they lie.
 *
 *   0      \x93NUMPY, major version 1 to 3, minor version
 *   8      the header's length h: 2 bytes (version 1) or 4, least significant first
 *   10|12  the header, a Python dictionary: { 'descr': '|u1', 'fortran_order': False, 'shape': (N, H, W), }
 *   then   the elements, last dimension fastest, to the end of the file
 *
 * Source: NumPy's documentation, `numpy.lib.format`.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { asError, type DiffeoError, formatError } from '../error.js'
import type { ImageSet, ImageShape } from './image-set.js'
import { fileSize, readAt, recordSet, sha256, withFile } from './records.js'

/** More than NumPy writes for an array of bytes, so that a lying length fills no memory. */
const LARGEST_HEADER = 4096

const FIX = "save it with numpy.save('images.npy', images.astype('uint8')), images of shape N×H×W or N×H×W×C"

/** What a header says: where the elements start, and their shape. */
export interface Npy {
  readonly offset: number
  readonly shape: readonly number[]
}

/**
 * Parses the start of a `.npy` file of unsigned bytes. Never throws, and never allocates by what the header claims.
 *
 * @param name the file's name, for the sentence of a refusal.
 * @param size the file's length.
 * @returns left: a format error, if it is none, its elements are no bytes, or their number is not that of its shape.
 * @example const header = parseNpy('images.npy', file.length)(file) // right: { offset: 128, shape: [60000, 28, 28] }
 */
export const parseNpy =
  (name: string, size: number) =>
  (start: Uint8Array): E.Either<DiffeoError, Npy> => {
    const refuse = (expected: string, got: string) => E.left(formatError(name, expected, got, FIX))
    const latin = (from: number, to: number) => Buffer.from(start.subarray(from, to)).toString('latin1')
    if (latin(0, 6) !== '\x93NUMPY' || start.length < 12) return refuse('a .npy file', 'something else')
    const view = new DataView(start.buffer, start.byteOffset, start.length)
    const first = start[6] === 1
    const from = first ? 10 : 12
    const offset = from + (first ? view.getUint16(8, true) : view.getUint32(8, true))
    if (offset > start.length) return refuse(`a header of at most ${LARGEST_HEADER} bytes`, `${offset} bytes`)
    const header = latin(from, offset)
    const descr = /'descr': *'([^']*)'/.exec(header)?.[1]
    if (descr !== '|u1' && descr !== 'u1') return refuse("unsigned bytes, '|u1'", `'${descr ?? header.trim()}'`)
    if (!/'fortran_order': *False/.test(header)) return refuse('rows first (fortran_order: False)', 'columns first')
    const shape = (/'shape': *\(([\d, ]*)\)/.exec(header)?.[1] ?? '')
      .split(',')
      .filter((n) => n.trim() !== '')
      .map(Number)
    const [, , , channels = 1] = shape
    if ((shape.length !== 3 && shape.length !== 4) || shape.includes(0) || (channels !== 1 && channels !== 3))
      return refuse('a shape N×H×W or N×H×W×C with 1 or 3 channels', shape.join('×') || 'none')
    // In doubles a huge product is rounded or infinite, but it is never as small as a length.
    const wanted = offset + shape.reduce((a, b) => a * b, 1)
    return wanted === size
      ? E.right({ offset, shape })
      : refuse(`${wanted} bytes for its shape ${shape.join('×')}`, `${size} bytes`)
  }

/** Pieces that tell a file, which may be too large to be read for it, from others: the first and the last among them. */
const PIECES = 16

/**
 * Opens a `.npy` file of images, which are read from disk when they are asked for.
 *
 * @returns left: a file error, if it cannot be read; else as {@link parseNpy}.
 * @example await openNpy('images.npy')() // right: { count: 60000, shape: [28, 28, 1], … }
 */
export const openNpy = (path: string): TE.TaskEither<DiffeoError, ImageSet> =>
  pipe(
    fileSize(path),
    TE.flatMap((size) =>
      pipe(
        TE.tryCatch(
          () =>
            withFile(path, async (file) => {
              const start = new Uint8Array(Math.min(size, LARGEST_HEADER))
              const pieces = Array.from({ length: PIECES }, () => new Uint8Array(start.length))
              await readAt(file, path, start, 0)
              for (const [i, piece] of pieces.entries())
                await readAt(file, path, piece, Math.floor((i * (size - start.length)) / (PIECES - 1)))
              return { start, digest: sha256(`${size}`, ...pieces) }
            }),
          asError,
        ),
        TE.bindTo('read'),
        TE.bind('npy', ({ read }) => TE.fromEither(parseNpy(path, size)(read.start))),
      ),
    ),
    TE.map(
      ({
        npy: {
          offset,
          shape: [count = 0, h = 1, w = 1, c = 1],
        },
        read: { digest },
      }) => {
        const shape: ImageShape = [h, w, c]
        return recordSet({ name: basename(path), shape, stride: h * w * c, files: [{ path, offset, count }], digest })
      },
    ),
  )

/**
 * The parts that a folder holds: `train.npy`, and `test.npy` if it is there; or those of a single `.npy` file.
 *
 * @returns left: as {@link openNpy}; a format error, if the two differ in their images' shape.
 * @example await loadNpy('data/npy')() // right: { train: { count: 60000, shape: [28, 28, 1], … } }
 */
export const loadNpy = (
  at: string,
): TE.TaskEither<DiffeoError, { readonly train: ImageSet; readonly test?: ImageSet }> => {
  if (at.endsWith('.npy'))
    return pipe(
      openNpy(at),
      TE.map((train) => ({ train })),
    )
  const test = join(at, 'test.npy')
  return pipe(
    openNpy(join(at, 'train.npy')),
    TE.mapLeft((e) =>
      e._tag === 'FileError' ? { ...e, fix: `name a .npy file, or a folder with train.npy; ${FIX}` } : e,
    ),
    TE.bindTo('train'),
    TE.flatMap(({ train }) =>
      existsSync(test)
        ? pipe(
            openNpy(test),
            TE.filterOrElse(
              (set) => set.shape.join() === train.shape.join(),
              (set) => formatError(test, `images of ${train.shape.join('×')}, as in train.npy`, set.shape.join('×')),
            ),
            TE.map((test) => ({ train, test })),
          )
        : TE.right({ train }),
    ),
  )
}
