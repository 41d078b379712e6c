/**
 * `diffeo/tensor`: typed tensors and the operations on them, parameters, and random numbers from keys.
 *
 *     import * as T from 'diffeo/tensor'
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { Dims } from '../../types/shape.js'
import * as core from '../tensor/tensor.js'
import { throwing } from '../throwing.js'

export type { Add, Even, Half, Mul, Product } from '../../types/nat.js'
export type { Batch, Dims, Shape } from '../../types/shape.js'
export * from '../tensor/ops.js'
export * from '../tensor/params.js'
export * from '../tensor/random.js'
export {
  type AnyTensor,
  type BatchOf,
  type DType,
  type PerExample,
  sizes,
  type Tensor,
  toArray,
  trust,
  unwrap,
} from '../tensor/tensor.js'

/**
 * A tensor of the given shape from its values in row-major order. NaN and infinities are values.
 *
 * @throws DiffeoException if there are more or fewer values, or one of them is no number or too large for float32
 * @example tensor([2, 3], [1, 2, 3, 4, 5, 6]) // Tensor<[2, 3]>
 */
export const tensor = throwing(core.tensor)

/**
 * A batch of examples of event shape `shape`, from their values one after another. NaN and infinities are values.
 *
 * @throws DiffeoException if the values are not those of whole examples, or one of them is no number or too large for
 * float32
 * @example batch([2], [1, 2, 3, 4]) // Tensor<['N', 2]> with N = 2
 */
export const batch = throwing(core.batch)

/**
 * A tensor of TensorFlow.js as a typed one: checks element type float32, rank, every size, and that equal names have equal
 * sizes.
 *
 * @throws DiffeoException if it has another shape or type
 * @example refine(['N', 28, 28, 1], tf.zeros([64, 28, 28, 1])) // Tensor<['N', 28, 28, 1]>
 */
export const refine = throwing(<const S extends Dims>(shape: S, tensor: tf.Tensor) => core.refine(shape)(tensor))
