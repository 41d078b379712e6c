/**
 * Images as bytes, and their PNG files.
 *
 * @module
 */
import { encode } from 'fast-png'
import * as E from 'fp-ts/lib/Either.js'
import { flow, pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, shapeError } from '../error.js'
import { writeFileAtomic } from '../file.js'

/** An image: rows from the top, pixels from the left, channels last; bytes from 0 (dark) to 255. */
export interface Raster {
  readonly width: number
  readonly height: number
  /** 1: gray. 3: red, green, blue. */
  readonly channels: 1 | 3
  /** `height · width · channels` bytes. */
  readonly data: Uint8Array
}

/**
 * Encodes an image as a PNG file. The same image gives the same bytes.
 *
 * @returns left: a shape error, if the image is empty or its data do not fill it.
 * @example encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(255) })
 */
export const encodePng = ({ width, height, channels, data }: Raster): E.Either<DiffeoError, Uint8Array> => {
  const size = width * height * channels
  return size > 0 && data.length === size
    ? E.right(encode({ width, height, channels, data, depth: 8 }))
    : E.left(shapeError('png', `at least one pixel and ${height}×${width}×${channels} bytes`, `${data.length} bytes`))
}

/**
 * Writes an image as a PNG file, atomically.
 *
 * @returns left: the error of {@link encodePng} or of the file system.
 * @example pipe(imageGrid()(images, [16, 28, 28, 1]), TE.fromEither, TE.flatMap(writePng('samples.png')))
 */
export const writePng = (path: string): ((image: Raster) => TE.TaskEither<DiffeoError, void>) =>
  flow(
    encodePng,
    TE.fromEither,
    TE.flatMap((bytes) => pipe(bytes, writeFileAtomic(path))),
  )
