/**
 * NumPy's `.npy` files of images: unsigned bytes of shape N×H×W or N×H×W×C, C 1 or 3.
 *
 *   0      \x93NUMPY, major version 1 to 3, minor version 0
 *   8      the header's length h: 2 bytes (version 1) or 4, least significant first
 *   10|12  the header, a Python dictionary: { 'descr': '|u1', 'fortran_order': False, 'shape': (N, H, W), }
 *   then   the elements to the end of the file, last dimension fastest, or first if `fortran_order` is True
 *
 * Images are read from the file on demand; an array in Fortran order is transposed in memory.
 *
 * Source: NumPy's documentation, `numpy.lib.format`.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { asError, type DiffeoError, formatError } from '../error.js'
import { readBytes } from '../file.js'
import { type ImageSet, type ImageShape, inMemory } from './image-set.js'
import { addLevels, type ElementType, elementType, isBytes, type Levels, noLevels, toBytesWith } from './npy-type.js'
import { parsePython } from './python-literal.js'
import { fileSize, readAt, recordSet, sha256, withFile } from './records.js'

/** NumPy's default limit. */
export const LARGEST_HEADER = 10_000
/** An array in Fortran order is held in memory, so it is bounded. */
const LARGEST_TRANSPOSED = 2 ** 30

/** The offset of the elements in bytes, and their shape. */
export interface Npy {
  readonly offset: number
  readonly shape: readonly number[]
  /** Whether the first dimension varies fastest (`fortran_order: True`). */
  readonly firstFastest?: true
}

/** A parsed header, whose elements need not be images. */
export interface NpyHeader extends Required<Omit<Npy, 'firstFastest'>> {
  readonly firstFastest: boolean
  readonly type: ElementType
}

const KEYS = ['descr', 'fortran_order', 'shape']

/** Parses the start of a file. */
export const parseHeader =
  (name: string) =>
  (start: Uint8Array): E.Either<DiffeoError, NpyHeader> => {
    const refuse = (expected: string, got: string) =>
      E.left(formatError(name, expected, got, 'save it with numpy.save'))
    if (Buffer.from(start.subarray(0, 6)).toString('latin1') !== '\x93NUMPY' || start.length < 12)
      return E.left(formatError(name, 'a .npy file', 'something else', "save it with numpy.save('images.npy', x)"))
    const [major = 0, minor = 0] = start.subarray(6)
    if (major < 1 || major > 3 || minor !== 0) return refuse('version 1.0, 2.0 or 3.0 of .npy', `${major}.${minor}`)
    const view = new DataView(start.buffer, start.byteOffset, start.length)
    const from = major === 1 ? 10 : 12
    const offset = from + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
    if (offset - from > LARGEST_HEADER || offset > start.length)
      return refuse(`a header of at most ${LARGEST_HEADER} bytes`, `${offset} bytes`)
    const bytes = start.subarray(from, offset)
    const text = E.tryCatch(
      () =>
        major === 3 ? new TextDecoder('utf-8', { fatal: true }).decode(bytes) : Buffer.from(bytes).toString('latin1'),
      () => bytes.length,
    )
    const parsed = pipe(
      text,
      E.flatMap((all) => parsePython(all.replace(/^[ \t]+/, ''))),
    )
    if (E.isLeft(parsed) || !(parsed.right instanceof Map))
      return refuse('a Python dictionary as header', 'something else')
    const entries = parsed.right
    const missing = KEYS.find((key) => !entries.has(key))
    if (missing !== undefined) return refuse(`a header with ${KEYS.join(', ')}`, `one without ${missing}`)
    const [order, sizes] = [entries.get('fortran_order'), entries.get('shape')]
    if (typeof order !== 'boolean') return refuse('fortran_order True or False', 'another value')
    const isSize = (n: unknown): n is number => typeof n === 'number' && n >= 0
    if (!Array.isArray(sizes) || !sizes.every(isSize)) return refuse('a shape of whole numbers', 'another value')
    return E.right({ offset, shape: sizes, firstFastest: order, type: elementType(entries.get('descr')) })
  }

const isPixel = (channels: number | undefined): boolean => channels === 1 || channels === 3

/** What to append to an array in NumPy to bring it to N×H×W×C, if its shape suggests that. */
const toImages = (shape: readonly number[]): string | undefined => {
  const [count = 0, second = 0, , last = 0] = shape
  if (shape.length === 4) {
    if (isPixel(second)) return '.transpose(0, 2, 3, 1)'
    if (second === 4) return '[:, :3].transpose(0, 2, 3, 1)'
    if (last === 4) return '[..., :3]'
    return last === 2 ? '[..., :1]' : undefined
  }
  const side = Math.sqrt(second)
  if (shape.length === 2) return Number.isInteger(side) && count > 0 ? `.reshape(-1, ${side}, ${side})` : '[None]'
  return undefined
}

const isImages = (shape: readonly number[]): boolean =>
  (shape.length === 3 || (shape.length === 4 && isPixel(shape[3]))) && !shape.includes(0)

/** The Python line that writes a file that can be read. */
const advice = ({ type, shape }: NpyHeader, levels: Levels): string => {
  const { before, expression } = isBytes(type) ? { expression: 'x' } : toBytesWith(type, levels)
  const moved = isImages(shape) ? '' : toImages(shape)
  const arranged = moved === undefined ? ', brought to N×H×W or N×H×W×C' : ''
  const range =
    isBytes(type) || levels.least > levels.greatest
      ? ''
      : `, whose values are ${Number(levels.least.toPrecision(4))} to ${Number(levels.greatest.toPrecision(4))}`
  const prefix = before === undefined ? '' : `${before}, then `
  return `${prefix}save it with numpy.save('images.npy', ${expression}${moved ?? ''}), where x is the array${range}${arranged}`
}

/** Checks that the elements are bytes, that they are images, and that they fill the file. */
const checkHeader =
  (name: string, size: number, levels: Levels) =>
  (header: NpyHeader): E.Either<DiffeoError, Npy> => {
    const { offset, shape, firstFastest, type } = header
    const refuse = (expected: string, got: string, fix = advice(header, levels)) =>
      E.left(formatError(name, expected, got, fix))
    if (!isBytes(type)) return refuse("unsigned bytes, '|u1'", type.text)
    if (!isImages(shape)) return refuse('a shape N×H×W or N×H×W×C with 1 or 3 channels', shape.join('×') || 'none')
    // In doubles a huge product is rounded or infinite, but it is never as small as a length.
    const wanted = offset + shape.reduce((a, b) => a * b, 1)
    if (wanted !== size)
      return refuse(`${wanted} bytes for its shape ${shape.join('×')}`, `${size} bytes`, 'copy or save it again')
    return E.right({ offset, shape, ...(firstFastest ? { firstFastest } : {}) })
  }

/**
 * Parses the start of a `.npy` file of unsigned bytes. Never throws, and never allocates by what the header claims.
 *
 * @param name the file's name, for the error.
 * @param size the file's length in bytes.
 * @returns left: a format error, if it is not a `.npy` file, its elements are not bytes, or their number is not that of
 *   its shape. It says how to convert the array to bytes in NumPy, judging by the values in `start`.
 * @example const header = parseNpy('images.npy', file.length)(file) // right: { offset: 128, shape: [60000, 28, 28] }
 */
export const parseNpy =
  (name: string, size: number) =>
  (start: Uint8Array): E.Either<DiffeoError, Npy> =>
    pipe(
      parseHeader(name)(start),
      E.flatMap((header) =>
        checkHeader(name, size, addLevels(header.type, noLevels, start.subarray(header.offset)))(header),
      ),
    )

/** Pieces of a file that its digest covers, because the file may be too large to be read for it: the first and the last among them. */
const PIECES = 16
const PIECE = 4096

/** How many blocks of a refused array are read to find the range of its values. */
const BLOCKS = 256
const BLOCK = 2 ** 20

/** The values of an array: all of them up to 256 MiB, else those of blocks spread over the file. */
const levelsIn = async (path: string, size: number, { offset, type }: NpyHeader): Promise<Levels> =>
  withFile(path, async (file) => {
    const elements = type.size === 0 ? 0 : Math.floor((size - offset) / type.size)
    const perBlock = Math.floor(BLOCK / Math.max(1, type.size))
    const blocks = Math.ceil(elements / perBlock)
    const count = Math.min(BLOCKS, blocks)
    let levels = noLevels
    for (let i = 0; i < count; i++) {
      const first = Math.floor((i * blocks) / count) * perBlock
      const bytes = new Uint8Array(Math.min(perBlock, elements - first) * type.size)
      await readAt(file, path, bytes, offset + first * type.size)
      levels = addLevels(type, levels, bytes)
    }
    return levels
  })

/** The start of a file, and the digest of its pieces. */
const readStart = (path: string, size: number) =>
  withFile(path, async (file) => {
    const start = new Uint8Array(Math.min(size, LARGEST_HEADER + 12))
    await readAt(file, path, start, 0)
    const pieces = Array.from({ length: PIECES }, () => new Uint8Array(Math.min(size, PIECE)))
    for (const [i, piece] of pieces.entries())
      await readAt(file, path, piece, Math.floor((i * (size - piece.length)) / (PIECES - 1)))
    return { start, digest: sha256(`${size}`, ...pieces) }
  })

/** The images of an array in Fortran order, with the last dimension fastest. */
const transposed = (path: string, { offset, shape }: Npy, size: number): TE.TaskEither<DiffeoError, Uint8Array> =>
  size > LARGEST_TRANSPOSED
    ? TE.left(
        formatError(
          path,
          `at most ${LARGEST_TRANSPOSED} bytes in Fortran order`,
          `${size} bytes`,
          "save it with numpy.save('images.npy', numpy.ascontiguousarray(x)), where x is the array",
        ),
      )
    : pipe(
        readBytes(path, LARGEST_TRANSPOSED),
        TE.map((bytes) => {
          const images = new Uint8Array(bytes.length - offset)
          const rank = shape.length
          const strides = shape.map((_, d) => shape.slice(0, d).reduce((a, b) => a * b, 1))
          const place = shape.map(() => 0)
          let from = offset
          for (let to = 0; to < images.length; to++) {
            images[to] = bytes[from]!
            for (let d = rank - 1; d >= 0; d--) {
              place[d]! += 1
              from += strides[d]!
              if (place[d]! < shape[d]!) break
              from -= strides[d]! * shape[d]!
              place[d] = 0
            }
          }
          return images
        }),
      )

/**
 * Opens a `.npy` file of images, which are read from disk on demand.
 *
 * @returns left: a file error, if it cannot be read; a format error as of {@link parseNpy}, whose advice is judged by the
 *   values of the whole array.
 * @example await openNpy('images.npy')() // right: { count: 60000, shape: [28, 28, 1], … }
 */
export const openNpy = (path: string): TE.TaskEither<DiffeoError, ImageSet> =>
  pipe(
    TE.Do,
    TE.bind('size', () => fileSize(path)),
    TE.bind('file', ({ size }) => TE.tryCatch(() => readStart(path, size), asError)),
    TE.bind('header', ({ file }) => TE.fromEither(parseHeader(path)(file.start))),
    TE.bind('levels', ({ size, header }) =>
      isBytes(header.type) ? TE.right(noLevels) : TE.tryCatch(() => levelsIn(path, size, header), asError),
    ),
    TE.bind('npy', ({ size, header, levels }) => TE.fromEither(checkHeader(path, size, levels)(header))),
    TE.flatMap(({ size, npy, file: { digest } }): TE.TaskEither<DiffeoError, ImageSet> => {
      const { offset, shape, firstFastest } = npy
      const [count = 0, h = 1, w = 1, c = 1] = shape
      const image: ImageShape = [h, w, c]
      const name = basename(path)
      return firstFastest
        ? pipe(
            transposed(path, npy, size),
            TE.map((images) => inMemory({ name, shape: image, images, digest })),
          )
        : TE.right(recordSet({ name, shape: image, stride: h * w * c, files: [{ path, offset, count }], digest }))
    }),
  )

const isFolder = (at: string): boolean => existsSync(at) && statSync(at).isDirectory()

/**
 * The parts that a folder holds: `train.npy`, and optionally `test.npy`; or those of a single `.npy` file.
 *
 * @returns left: as {@link openNpy}; a format error, if the two differ in their images' shape.
 * @example await loadNpy('data/npy')() // right: { train: { count: 60000, shape: [28, 28, 1], … } }
 */
export const loadNpy = (
  at: string,
): TE.TaskEither<DiffeoError, { readonly train: ImageSet; readonly test?: ImageSet }> => {
  if (/\.npz$/i.test(at))
    return TE.left(
      formatError(
        at,
        'a .npy file',
        'a .npz archive',
        "save one array: numpy.save('images.npy', numpy.load('a.npz')['x'])",
      ),
    )
  if (/\.npy$/i.test(at) || (existsSync(at) && !isFolder(at)))
    return pipe(
      openNpy(at),
      TE.map((train) => ({ train })),
    )
  const test = join(at, 'test.npy')
  return pipe(
    openNpy(join(at, 'train.npy')),
    TE.mapLeft((e) =>
      e._tag === 'FileError'
        ? { ...e, fix: "name a .npy file, or a folder with train.npy, saved with numpy.save('train.npy', x)" }
        : e,
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
