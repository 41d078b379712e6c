/**
 * Storage for tensors that a native engine reads and WebAssembly does not compute with: parameters and moments. The
 * memory of WebAssembly ends at 2 GB, so a state of 134 million parameters does not fit in it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** Makes a tensor that keeps the array itself. */
export type Host = (data: Float32Array, shape: readonly number[]) => tf.Tensor

let current: Host | undefined

/** Sets how such tensors are stored; default: in the memory of the engine. */
export const setHost = (host: Host | undefined): void => {
  current = host
}

/** A tensor of these numbers. The caller must not change the array afterwards. */
export const hosted: Host = (data, shape) =>
  current === undefined ? tf.tensor(data, [...shape]) : current(data, shape)

/** A tensor of the same numbers. */
export const hostedCopy = (t: tf.Tensor): tf.Tensor =>
  current === undefined || t.dtype !== 'float32' ? tf.clone(t) : current(t.dataSync<'float32'>(), t.shape)
