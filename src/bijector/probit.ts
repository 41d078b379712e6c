/**
 * The quantile function of the standard normal distribution.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { clamp, SMALLEST } from './support.js'

const horner = (coefficients: readonly number[], x: tf.Tensor): tf.Tensor =>
  coefficients.slice(1).reduce<tf.Tensor>((acc, c) => tf.add(tf.mul(acc, x), c), tf.fill(x.shape, coefficients[0]!))

/**
 * Φ⁻¹, elementwise. In the middle: the polynomial of M. Giles ("Approximating the erfinv function", GPU Computing Gems,
 * 2010). In the tails: the rational function of P. J. Acklam, whose middle part would lose four of float32's seven digits.
 */
export const probit = (y: AnyTensor): AnyTensor => {
  const p = unwrap(y)
  const a = [
    2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
    0.246640727, 1.50140941,
  ]
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1]
  const q = tf.sub(p, 0.5)
  const side = unwrap(clamp([SMALLEST, 0.5], trust(tf.minimum(p, tf.sub(1, p)))))
  const w = tf.neg(tf.log(tf.mul(tf.mul(side, 4), tf.sub(1, side))))
  const middle = tf.mul(tf.mul(horner(a, tf.sub(w, 2.5)), q), 2 * Math.SQRT2)
  const t = tf.sqrt(tf.mul(tf.log(side), -2))
  const tail = tf.mul(tf.neg(tf.sign(q)), tf.div(horner(c, t), horner(d, t)))
  // products instead of `where`: comparisons have no gradient in TensorFlow.js
  const inTail = tf.step(tf.sub(0.02425, side))
  return trust(tf.add(tf.mul(inTail, tail), tf.mul(tf.sub(1, inTail), middle)))
}
