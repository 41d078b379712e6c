/**
 * Dequantised batches of an image set, as pure functions of a key and a step number.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { dequantise } from '../bijector/dequantise.js'
import { type DiffeoError, usageError } from '../error.js'
import { tidy } from '../tensor/ops.js'
import { foldIn, type Key, uniformArray } from '../tensor/random.js'
import { type BatchOf, latentBatch, trust } from '../tensor/tensor.js'
import type { ImageSet, ImageShape } from './image-set.js'
import { batchIndices } from './split.js'

/** Flips the chosen images horizontally, in place. */
const flip = (pixels: Uint8Array, [h, w, c]: ImageShape, chosen: (image: number) => boolean): Uint8Array => {
  const row = w * c
  for (let i = 0; i < pixels.length / (h * row); i++)
    if (chosen(i))
      for (let y = 0; y < h; y++) {
        const from = (i * h + y) * row
        const line = pixels.slice(from, from + row)
        for (let x = 0; x < w; x++) pixels.set(line.subarray(x * c, (x + 1) * c), from + row - (x + 1) * c)
      }
  return pixels
}

const noisy = <S extends ImageShape>({ shape }: ImageSet<S>, key: Key, pixels: Uint8Array): BatchOf<S> =>
  tidy(() => {
    const count = pixels.length / (shape[0] * shape[1] * shape[2])
    const x = trust<readonly ['N', ...S]>(tf.tensor(Float32Array.from(pixels), [count, ...shape]))
    return latentBatch(shape, [dequantise<S>(key).forward(x)[0]])
  })

/** The augmentation of {@link trainBatches}. */
export interface Augmentation {
  /** Flip each image horizontally with probability ½; default: false. Not for digits. */
  readonly flips?: boolean
}

/**
 * Returns the batch of each training step. The order of an epoch, the flips and the noise depend on the key and the
 * step alone.
 *
 * @returns left: a usage error, if `size` is not an integer from 1 to the number of images.
 * @example trainBatches(mnist.train, key(0), 32)
 */
export const trainBatches = <S extends ImageShape>(
  set: ImageSet<S>,
  key: Key,
  size: number,
  { flips = false }: Augmentation = {},
): E.Either<DiffeoError, (step: number) => Promise<BatchOf<S>>> =>
  pipe(
    batchIndices(foldIn(key, 0), size, set.count),
    E.map((order) => async (step: number) => {
      const pixels = await set.read(order(step))
      if (flips) {
        const coins = uniformArray(foldIn(foldIn(key, 2), step), size)
        flip(pixels, set.shape, (i) => coins[i]! < 0.5)
      }
      return noisy(set, foldIn(foldIn(key, 1), step), pixels)
    }),
  )

/**
 * Returns all images in order, with the same noise at every call. The last batch may be smaller.
 *
 * @returns left: a usage error, if `size` is not an integer from 1.
 * @example orThrow(evaluationBatches(mnist.test, key(0), 50)).count // 200
 */
export const evaluationBatches = <S extends ImageShape>(
  set: ImageSet<S>,
  key: Key,
  size: number,
): E.Either<DiffeoError, { readonly count: number; readonly at: (index: number) => Promise<BatchOf<S>> }> =>
  Number.isInteger(size) && size >= 1
    ? E.right({
        count: Math.ceil(set.count / size),
        at: async (index) => {
          const first = index * size
          const indices = Uint32Array.from({ length: Math.min(size, set.count - first) }, (_, i) => first + i)
          return noisy(set, foldIn(key, index), await set.read(indices))
        },
      })
    : E.left(usageError('evaluation batch size', 'an integer from 1', `${size}`))
