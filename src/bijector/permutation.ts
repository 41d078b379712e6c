/**
 * Permutations of the last axis.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Dims } from '../../types/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'

/** `there` puts element order(i) at i, `back` undoes it. */
interface Permutation {
  readonly there: (x: AnyTensor) => AnyTensor
  readonly back: (y: AnyTensor) => AnyTensor
}

/** The permutation of the last axis that takes element order(i) to i. */
export const permuteLast = (order: readonly number[]): Permutation => {
  const opposite = order.map((_, i) => order.indexOf(i))
  // gather keeps every bit; a product with ones and zeros would round where engines multiply in bf16 or TF32
  const by = (to: readonly number[], from: readonly number[]) => (x: AnyTensor) => {
    // TensorFlow.js returns a wrong shape for an empty gather
    const take = (o: readonly number[]) => (t: tf.Tensor) =>
      t.size === 0 ? tf.clone(t) : tf.gather(t, tf.tensor1d([...o], 'int32'), t.rank - 1)
    const moved = tf.customGrad((t) => ({ value: take(to)(t as tf.Tensor), gradFunc: take(from) }))
    return trust<Dims>(tf.tidy(() => moved(unwrap(x)))) as AnyTensor
  }
  return { there: by(order, opposite), back: by(opposite, order) }
}
