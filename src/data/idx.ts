/**
 * The IDX format of the MNIST files: bytes with a shape.
 *
 *   0      two zero bytes
 *   2      the element type: 0x08, unsigned bytes, is the only one read here
 *   3      the number of dimensions d
 *   4      d sizes, unsigned 32-bit, most significant byte first
 *   4+4d   the elements, last dimension fastest, to the end of the file
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section "File formats".
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, formatError } from '../error.js'

/** The contents of an IDX file of unsigned bytes. `data` is a view of the parsed bytes, not a copy. */
export interface Idx {
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

const firstBytes = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, '0')).join('') || 'nothing'

/**
 * Parses an IDX file of unsigned bytes. Never throws, and never allocates by what the header claims.
 *
 * @param name the file's name, for the error.
 * @returns left: a format error, if the magic number, the type or the size is wrong, or bytes are missing or left over.
 * @example parseIdx('labels')(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)) // right: { shape: [2], data: [7, 9] }
 */
export const parseIdx =
  (name: string) =>
  (bytes: Uint8Array): E.Either<DiffeoError, Idx> => {
    const [zero0, zero1, type, dims = 0] = bytes
    if (zero0 === 0x1f && zero1 === 0x8b)
      return E.left(formatError(name, 'an IDX file', 'a gzip file', `unpack it: gunzip '${name}'`))
    if (zero0 !== 0 || zero1 !== 0 || type !== 8 || dims === 0)
      return E.left(
        formatError(
          name,
          'an IDX file of unsigned bytes, which starts with 000008',
          firstBytes(bytes),
          'check that it is the file you mean, or download it again',
        ),
      )
    const start = 4 + 4 * dims
    const refuseSize = (expected: string): E.Either<DiffeoError, never> =>
      E.left(formatError(name, expected, `${bytes.length} bytes`, 'download it again'))
    if (bytes.length < start) return refuseSize(`a header of ${start} bytes`)
    const header = new DataView(bytes.buffer, bytes.byteOffset, start)
    const shape = Array.from({ length: dims }, (_, i) => header.getUint32(4 + 4 * i))
    // In doubles a huge product is rounded or infinite, but it is never as small as a length.
    const size = shape.reduce((a, b) => a * b, 1)
    return size === bytes.length - start
      ? E.right({ shape, data: bytes.subarray(start) })
      : refuseSize(`${start + size} bytes for its shape ${shape.join('×')}`)
  }
