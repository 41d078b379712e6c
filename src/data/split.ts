/**
 * Which examples, in which order: pure functions of a key, so a seed repeats a run and a step number resumes it.
 *
 *   step s of batches of b out of n:  epoch e = ⌊s / ⌊n/b⌋⌋,  place p = s mod ⌊n/b⌋
 *   batch(s) = permutation(foldIn(key, e), n)[p·b, …, p·b + b − 1]
 *
 * Laws: within an epoch no example comes twice; the ragged end, n mod b examples, is dropped, different ones in each
 * epoch.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, usageError } from '../error.js'
import { foldIn, type Key, permutation } from '../tensor/random.js'

const isCount = (n: number, most: number): boolean => Number.isInteger(n) && n >= 1 && n <= most

/** Two disjoint sets of indices that together are all. */
export interface HoldOut {
  /** In ascending order; each epoch permutes it. */
  readonly train: Uint32Array
  /** In random order, so that its batches are mixed even where the files are sorted by class. */
  readonly validation: Uint32Array
}

/**
 * Holds out `validation` of `count` examples, chosen by the key.
 *
 * @returns left: a usage error, if `validation` is not an integer from 1 to `count` − 1.
 * @example holdOut(key(0), 10_000, 60_000)
 */
export const holdOut = (key: Key, validation: number, count: number): E.Either<DiffeoError, HoldOut> => {
  if (!isCount(validation, count - 1))
    return E.left(
      usageError('validation', `1 to ${count - 1} of ${count} examples to hold out`, `${validation}`, 'hold out fewer'),
    )
  const order = permutation(key, count)
  return E.right({ train: order.slice(validation).sort(), validation: order.slice(0, validation) })
}

/**
 * Returns the number of training batches in an epoch; the ragged end does not count.
 *
 * @example stepsPerEpoch(32, 60_000) // 1875
 */
export const stepsPerEpoch = (batchSize: number, count: number): number => Math.floor(count / batchSize)

/**
 * Returns the examples of each training step as a function of the step. It caches the last epoch's permutation, which
 * does not change the results.
 *
 * @returns left: a usage error, if `batchSize` is not an integer from 1 to `count`.
 * @example pipe(batchIndices(key(0), 32, 60_000), E.map(batch => batch(1234)))
 */
export const batchIndices = (
  key: Key,
  batchSize: number,
  count: number,
): E.Either<DiffeoError, (step: number) => Uint32Array> => {
  if (!isCount(batchSize, count))
    return E.left(usageError('batch size', `an integer from 1 to ${count}, the number of examples`, `${batchSize}`))
  const perEpoch = stepsPerEpoch(batchSize, count)
  let last: { readonly epoch: number; readonly order: Uint32Array } = { epoch: -1, order: new Uint32Array() }
  return E.right((step) => {
    const epoch = Math.floor(step / perEpoch)
    if (epoch !== last.epoch) last = { epoch, order: permutation(foldIn(key, epoch), count) }
    const start = (step - epoch * perEpoch) * batchSize
    return last.order.slice(start, start + batchSize)
  })
}

/**
 * Copies the examples at `indices` out of an array that holds `exampleSize` numbers for each. An index past the end reads
 * as zeros.
 *
 * @example gather(images, 28 * 28)(Uint32Array.of(7, 0)) // the bytes of two images
 */
export function gather(values: Uint8Array, exampleSize: number): (indices: ArrayLike<number>) => Uint8Array
export function gather(values: Float32Array, exampleSize: number): (indices: ArrayLike<number>) => Float32Array
export function gather(
  values: Uint8Array | Float32Array,
  exampleSize: number,
): (indices: ArrayLike<number>) => Uint8Array | Float32Array {
  return (indices) => {
    const size = indices.length * exampleSize
    const out = values.BYTES_PER_ELEMENT === 1 ? new Uint8Array(size) : new Float32Array(size)
    for (let i = 0; i < indices.length; i++) {
      const from = (indices[i] ?? 0) * exampleSize
      out.set(values.subarray(from, from + exampleSize), i * exampleSize)
    }
    return out
  }
}
