/**
 * Batches of an image set, dequantised: pure functions of a key and of a step's number.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { dequantise } from '../bijector/dequantise.js'
import type { DiffeoError } from '../error.js'
import { foldIn, type Key } from '../tensor/random.js'
import { type BatchOf, trust } from '../tensor/tensor.js'
import type { ImageSet } from './image-set.js'
import { batchIndices, gather } from './split.js'

type ImageShape = readonly [number, number, number]

const noisy =
  <S extends ImageShape>(set: ImageSet<S>) =>
  (key: Key, indices: Uint32Array): BatchOf<S> =>
    tf.tidy(() => {
      const pixels = gather(set.images, set.shape[0] * set.shape[1] * set.shape[2])(indices)
      const x = trust<readonly ['N', ...S]>(tf.tensor(Float32Array.from(pixels), [indices.length, ...set.shape]))
      return dequantise<S>(key).forward(x)[0] as unknown as tf.Tensor
    }) as unknown as BatchOf<S>

/** The batch of each training step: an epoch's order and the noise come from the key and the step alone. */
export const trainBatches = <S extends ImageShape>(
  set: ImageSet<S>,
  indices: Uint32Array,
  key: Key,
  size: number,
): E.Either<DiffeoError, (step: number) => BatchOf<S>> =>
  pipe(
    batchIndices(foldIn(key, 0), size, indices.length),
    E.map(
      (order) => (step: number) =>
        noisy(set)(
          foldIn(foldIn(key, 1), step),
          order(step).map((i) => indices[i]!),
        ),
    ),
  )

/** All the given examples in order, each with the same noise at every call; the last batch may be smaller. */
export const evaluationBatches = <S extends ImageShape>(
  set: ImageSet<S>,
  indices: Uint32Array,
  key: Key,
  size: number,
): { readonly count: number; readonly at: (index: number) => BatchOf<S> } => ({
  count: Math.ceil(indices.length / size),
  at: (index) => noisy(set)(foldIn(key, index), indices.subarray(index * size, (index + 1) * size)),
})
