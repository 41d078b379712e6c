/**
 * `diffeo/data` in browsers: densities of the plane, images in memory, batches and splits.
 *
 * @module
 */
import * as batches from '../data/batches.js'
import * as split from '../data/split.js'
import { throwing } from '../throwing.js'

export {
  type ConditionalTabular,
  type TableRecord,
  type Tabular,
  type TabularOptions,
  tabular,
} from '../api/tabular.js'
export { type Knot, splineThrough } from '../bijector/spline-through.js'
export { type StandardiseOptions, standardise } from '../bijector/standardise.js'
export { type Augmentation, type Labelled, oneHot } from '../data/batches.js'
export * from '../data/image-set.js'
export * from '../data/planes.js'
export { type HoldOut, stepsPerEpoch } from '../data/split.js'
export * from '../data/toys.js'
export type { Column, Kind } from '../table/column.js'
export { type TableData, tableFrom } from '../table/from-program.js'
export type { Cell } from '../table/row.js'
export type { Missing, Table, TableOptions } from '../table/table.js'

/**
 * Returns the batch of each training step. The order of an epoch, the flips and the noise depend only on the key
 * and the step.
 *
 * @throws DiffeoException if `size` is not an integer from 1 to the number of images
 * @example trainBatches(mnist.train, key(0), 32)
 */
export const trainBatches = throwing(batches.trainBatches)

/**
 * {@link trainBatches} with the one-hot label of each image, for a conditional flow.
 *
 * @throws DiffeoException if the set has no labels of so many classes, or for `size`
 * @example trainPairs(mnist.train, 10, key(0), 32)
 */
export const trainPairs = throwing(batches.trainPairs)

/**
 * Returns all images in order, with the same noise at every call. The last batch may be smaller.
 *
 * @throws DiffeoException if `size` is not an integer from 1
 * @example evaluationBatches(mnist.test, key(0), 50).count // 200
 */
export const evaluationBatches = throwing(batches.evaluationBatches)

/**
 * {@link evaluationBatches} with the one-hot label of each image.
 *
 * @throws DiffeoException if the set has no labels of so many classes, or for `size`
 * @example evaluationPairs(mnist.test, 10, key(0), 50)
 */
export const evaluationPairs = throwing(batches.evaluationPairs)

/**
 * Holds out `validation` of `count` examples, chosen by the key.
 *
 * @throws DiffeoException if `validation` is not an integer from 1 to `count` − 1
 * @example holdOut(key(0), 10_000, 60_000)
 */
export const holdOut = throwing(split.holdOut)

/**
 * Returns the examples of each training step as a function of the step. It caches the last epoch's permutation, which
 * does not change the results.
 *
 * @throws DiffeoException if `batchSize` is not an integer from 1 to `count`
 * @example batchIndices(key(0), 32, 60_000)(1234)
 */
export const batchIndices = throwing(split.batchIndices)
