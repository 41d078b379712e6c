/**
 * Vectors u for which I + v·uᵀ is invertible with a positive determinant (Rezende & Mohamed 2015, appendix A.1).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { softplus } from '../tensor/ops.js'
import { trust, unwrap } from '../tensor/tensor.js'

/** The least value of 1 + vᵀû. */
export const LEAST = 1e-3
/** Where softplus is 1 − LEAST, so that û = 0 at u = 0. */
const OFFSET = Math.log(Math.expm1(1 - LEAST))

/** A number above `LEAST` from any number; 1 from 0. */
export const raisedFactor = (of: tf.Tensor): tf.Tensor => tf.add(unwrap(softplus(trust(tf.add(of, OFFSET)))), LEAST)

/**
 * û, which differs from u along v alone, with vᵀû = softplus(vᵀu + log(e − 1)) − 1 > −1 up to `LEAST`, and 1 + vᵀû. Both
 * vectors are rows [1, C].
 */
export const raised = (u: tf.Tensor2D, v: tf.Tensor2D): readonly [raised: tf.Tensor2D, factor: tf.Tensor2D] => {
  const along = tf.matMul(u, v, false, true)
  const factor = raisedFactor(along) as tf.Tensor2D
  const more = tf.div(tf.sub(tf.sub(factor, 1), along), tf.maximum(tf.sum(tf.square(v)), 1e-30))
  return [tf.add(u, tf.mul(more, v)), factor]
}
