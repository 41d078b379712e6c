/**
 * Whether a function is being traced, for operations that are forbidden in a trace. Below `engine`, so that draws can
 * check it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError } from './error.js'

/** The backend of `compiler/trace.ts`, which records instead of computing. */
export const TRACING = 'diffeo-trace'

/** Whether a function is being traced: then there are no numbers to read, and randoms must be inputs. */
export const isTracing = (): boolean => tf.getBackend() === TRACING

/** Whether a tensor can be read at once: not while tracing, and not on WebGPU. */
export const isReadable = (): boolean => !isTracing() && tf.getBackend() !== 'webgpu'

/** A tensor of random numbers. A trace would draw them once and repeat them at every call. */
export const drawn = (
  op: string,
  shape: readonly number[],
  numbers: () => Float32Array,
  make: (data: Float32Array, shape: readonly number[]) => tf.Tensor = (data, of) => tf.tensor(data, [...of]),
): tf.Tensor => {
  if (isTracing())
    throw new DiffeoException(
      engineError(`${op} in jit`, 'random numbers as arguments', 'a draw inside', 'draw outside and pass it in'),
    )
  return make(numbers(), shape)
}
