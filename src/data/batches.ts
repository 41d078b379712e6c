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

/** Which images each step takes. */
const orderOf = (key: Key, size: number, count: number) => batchIndices(foldIn(key, 0), size, count)

/** The augmentation of {@link trainBatches}. */
export interface Augmentation {
  /** Flip each image horizontally with probability ½; default: false. Not for digits. */
  readonly flips?: boolean
}

/**
 * Returns the batch of each training step. The order of an epoch, the flips and the noise depend only on the key
 * and the step.
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
    orderOf(key, size, set.count),
    E.map((order) => async (step: number) => {
      const pixels = await set.read(order(step))
      if (flips) {
        const coins = uniformArray(foldIn(foldIn(key, 2), step), size)
        flip(pixels, set.shape, (i) => coins[i]! < 0.5)
      }
      return noisy(set, foldIn(foldIn(key, 1), step), pixels)
    }),
  )

/** Images and the one-hot label of each. */
export interface Labelled<S extends ImageShape> {
  readonly x: BatchOf<S>
  readonly given: BatchOf<readonly [classes: number]>
}

/**
 * One-hot rows of labels: row i is 1 in column `labels[i]`, and 0 elsewhere.
 *
 * @example oneHot([1, 0], 2) // [0, 1, 1, 0]
 */
export const oneHot = (labels: ArrayLike<number>, classes: number): Float32Array => {
  const rows = new Float32Array(labels.length * classes)
  for (let i = 0; i < labels.length; i++) rows[i * classes + labels[i]!] = 1
  return rows
}

/** The one-hot labels of images by their numbers, if the set has labels of so many classes. */
const labelsOf = (
  { name, labels }: ImageSet,
  classes: number,
): E.Either<DiffeoError, (indices: Uint32Array) => BatchOf<readonly [number]>> => {
  if (labels === undefined) return E.left(usageError(name, 'a set with labels', 'one without'))
  const wrong = labels.findIndex((label) => label >= classes)
  if (wrong >= 0)
    return E.left(usageError(name, `labels from 0 to ${classes - 1}`, `${labels[wrong]} at image ${wrong}`))
  return E.right((indices) => {
    const rows = oneHot(
      Array.from(indices, (i) => labels[i]!),
      classes,
    )
    return latentBatch([classes], [trust(tf.tensor(rows, [indices.length, classes]))])
  })
}

/**
 * {@link trainBatches} with the one-hot label of each image, for a conditional flow.
 *
 * @returns left: a usage error, if the set has no labels of so many classes, or for `size`
 * @example trainPairs(mnist.train, 10, key(0), 32)
 */
export const trainPairs = <S extends ImageShape>(
  set: ImageSet<S>,
  classes: number,
  key: Key,
  size: number,
  augmentation?: Augmentation,
): E.Either<DiffeoError, (step: number) => Promise<Labelled<S>>> =>
  pipe(
    E.Do,
    E.bind('images', () => trainBatches(set, key, size, augmentation)),
    E.bind('order', () => orderOf(key, size, set.count)),
    E.bind('labels', () => labelsOf(set, classes)),
    E.map(({ images, order, labels }) => async (step: number) => ({
      x: await images(step),
      given: labels(order(step)),
    })),
  )

/**
 * {@link evaluationBatches} with the one-hot label of each image.
 *
 * @returns left: a usage error, if the set has no labels of so many classes, or for `size`
 * @example evaluationPairs(mnist.test, 10, key(0), 50)
 */
export const evaluationPairs = <S extends ImageShape>(
  set: ImageSet<S>,
  classes: number,
  key: Key,
  size: number,
): E.Either<DiffeoError, { readonly count: number; readonly at: (index: number) => Promise<Labelled<S>> }> =>
  pipe(
    E.Do,
    E.bind('images', () => evaluationBatches(set, key, size)),
    E.bind('labels', () => labelsOf(set, classes)),
    E.map(({ images, labels }) => ({
      count: images.count,
      at: async (index: number) => ({ x: await images.at(index), given: labels(inOrder(set, size, index)) }),
    })),
  )

/** The numbers of the images of a batch in order. */
const inOrder = ({ count }: ImageSet, size: number, index: number): Uint32Array => {
  const first = index * size
  return Uint32Array.from({ length: Math.min(size, count - first) }, (_, i) => first + i)
}

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
          return noisy(set, foldIn(key, index), await set.read(inOrder(set, size, index)))
        },
      })
    : E.left(usageError('evaluation batch size', 'an integer from 1', `${size}`))
