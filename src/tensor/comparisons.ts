/**
 * Comparisons, and the choice between two tensors by a condition. The table is in `ops.ts`.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Dims } from '../../types/shape.js'
import { DiffeoException, usageError } from '../error.js'
import { sizesIn } from './numbers.js'
import { type AnyTensor, standing, type Tensor, tensorIn, trust, unwrap } from './tensor.js'

/** A comparison with a tensor of the same shape, or with a number. */
export interface Comparison {
  (b: number): <S extends Dims>(a: Tensor<S>) => Tensor<S, 'bool'>
  <S extends Dims>(b: Tensor<S>): (a: Tensor<NoInfer<S>>) => Tensor<S, 'bool'>
}

const comparison =
  (name: string, op: (a: tf.Tensor, b: tf.Tensor | number) => tf.Tensor): Comparison =>
  <S extends Dims>(b: Tensor<S> | number) =>
  (a: Tensor<S>): Tensor<S, 'bool'> =>
    trust(typeof b === 'number' ? op(tensorIn(name, a), b) : op(standing(name, sizesIn(name)(b), a), unwrap(b)))

/**
 * Whether a > b, element by element, where `greater(b)(a)`; b may be a number
 * @example T.greater(1)(tensor([2], [1, 2])) // [0, 1]
 */
export const greater = comparison('greater', tf.greater)
/**
 * Whether a < b, element by element, where `less(b)(a)`; b may be a number
 * @example T.less(2)(tensor([2], [1, 2])) // [1, 0]
 */
export const less = comparison('less', tf.less)
/**
 * Whether a = b, element by element; b may be a number. NaN equals nothing.
 * @example T.equal(tensor([2], [1, 3]))(tensor([2], [1, 2])) // [1, 0]
 */
export const equal = comparison('equal', tf.equal)

/** The tensor underneath, if it is of booleans: engines would read other bytes as such. */
const conditionIn = (condition: AnyTensor): tf.Tensor => {
  const t = tensorIn('where', condition)
  if (t.dtype === 'bool') return t
  const fix = 'compare first: greater(0)(x)'
  throw new DiffeoException(usageError('where', 'a condition of booleans', `one of ${t.dtype}`, fix))
}

/**
 * a where the condition holds, b elsewhere; both may be numbers. Gradients flow to the chosen one alone, but the other one's
 * must be finite: 0·∞ is NaN. Of `where(greater(0)(x))(log(x))(0)` take `log` of a clipped x.
 * @example
 * const x = tensor([3], [-2, 0, 3])
 * T.where(T.less(0)(x))(T.times(0.1)(x))(x) // [-0.2, 0, 3]
 */
export const where =
  <S extends Dims>(condition: Tensor<S, 'bool'>) =>
  (a: Tensor<NoInfer<S>> | number) =>
  (b: Tensor<NoInfer<S>> | number): Tensor<S> => {
    const holds = conditionIn(condition)
    const of = (x: AnyTensor | number): tf.Tensor =>
      typeof x === 'number' ? tf.fill(holds.shape, x) : standing('where', holds.shape, x)
    return trust(tf.tidy(() => tf.where(holds, of(a), of(b))))
  }
