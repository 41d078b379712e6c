/**
 * Orthogonal matrices as products of reflections.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** The first `columns` columns of Π (I − 2vₖvₖᵀ/‖vₖ‖²), with the rows of `axes` as vₖ. */
export const reflections = (axes: tf.Tensor, columns: number): tf.Tensor2D => {
  const [count, size] = axes.shape as [number, number]
  const start = tf.slice(tf.eye(size), [0, 0], [size, columns])
  return Array.from({ length: count }).reduceRight<tf.Tensor2D>((q, _, k) => {
    const v = tf.slice(axes, [k, 0], [1, size]) as tf.Tensor2D
    // without a direction, a reflection is the identity
    const unit = tf.div(v, tf.maximum(tf.sum(tf.square(v)), 1e-30)) as tf.Tensor2D
    return tf.sub(q, tf.matMul(unit, tf.mul(tf.matMul(v, q), 2), true))
  }, start)
}
