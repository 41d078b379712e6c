/**
 * Kernels for which the WebGPU backend returns wrong numbers, as compositions of others.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { override, type Rewrite } from './override.js'

/**
 * The backend transposes booleans, and what was cast from them, by a shader that does not compile. A product is stored
 * as real numbers, and those are reduced as they should be.
 */
const logical =
  (reduce: (x: tf.Tensor, axis: number[], keepDims: boolean) => tf.Tensor): Rewrite =>
  ({ x }, { axis, keepDims }) => {
    const axes = tf.util.parseAxisParam(axis as number | number[], x!.shape)
    return tf.greater(reduce(tf.mul(tf.cast(x!, 'float32'), 1), axes, keepDims === true), 0)
  }

/** From the last to the first the backend adds up to one neighbour at most; the other way round all is well. */
const cumsum: Rewrite = ({ x }, { axis, exclusive, reverse }) =>
  reverse === true
    ? tf.reverse(tf.cumsum(tf.reverse(x!, axis as number), axis as number, exclusive === true), axis as number)
    : undefined

let registered = false

/** Registers every rewrite. Only the first call does anything. */
export const registerWebgpuKernels = (): void => {
  if (registered) return
  registered = true
  override('All', logical(tf.min), 'webgpu')
  override('Any', logical(tf.max), 'webgpu')
  override('Cumsum', cumsum, 'webgpu')
}
