/**
 * Many small images as one: tiles in reading order on a plain background.
 *
 * With n tiles of h×w in k columns and a padding of p, the image is (p + ⌈n/k⌉(h + p)) × (p + k(w + p)) pixels.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, shapeError } from '../error.js'
import type { Raster } from './png.js'

/** Options of {@link imageGrid}. */
export interface GridOptions {
  /** Tiles in a row; default: ⌈√n⌉. */
  readonly columns?: number
  /** Pixels between and around tiles; default: 2. */
  readonly padding?: number
  /** Gray level of the background, 0 to 255; default: 255, white. */
  readonly ground?: number
}

/**
 * Lays a batch of images, bytes of shape N×H×W×C with 1 or 3 channels, out as one image.
 *
 * @returns left: a shape error, if there is no image, the channels are not 1 or 3, or the bytes do not fill the shape.
 * @example imageGrid({ columns: 8 })(images, [64, 28, 28, 1])
 */
export const imageGrid =
  ({ columns, padding = 2, ground = 255 }: GridOptions = {}) =>
  (images: Uint8Array, shape: readonly [number, number, number, number]): E.Either<DiffeoError, Raster> => {
    const [n, h, w, c] = shape
    if (c !== 1 && c !== 3) return E.left(shapeError('imageGrid', '1 or 3 channels', `${c} in ${shape.join('×')}`))
    if (images.length === 0 || images.length !== n * h * w * c)
      return E.left(shapeError('imageGrid', `at least one image, ${shape.join('×')} bytes`, `${images.length} bytes`))
    const across = Math.max(1, Math.min(n, columns ?? Math.ceil(Math.sqrt(n))))
    const width = padding + across * (w + padding)
    const height = padding + Math.ceil(n / across) * (h + padding)
    const data = new Uint8Array(width * height * c).fill(ground)
    for (let i = 0; i < n; i++) {
      const top = padding + Math.floor(i / across) * (h + padding)
      const left = padding + (i % across) * (w + padding)
      for (let y = 0; y < h; y++) {
        const from = (i * h + y) * w * c
        data.set(images.subarray(from, from + w * c), ((top + y) * width + left) * c)
      }
    }
    return E.right({ width, height, channels: c, data })
  }
