/**
 * Rising functions as integrals of positive ones: g(x) = ∫₀ˣ h(t) dt, g′(x) = h(x).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { gaussLegendre } from '../../tensor/quadrature.js'
import type { Each } from './rows.js'

/**
 * The integral from 0 to x [N, V, 1], by Gauss–Legendre quadrature, and h(x).
 *
 * @param h values [N, V, points] at points t of the same shape
 */
export const integralFrom0 = (
  nodes: number,
  h: (t: tf.Tensor) => tf.Tensor,
): ((x: Each) => readonly [integral: Each, integrand: Each]) => {
  const rule = gaussLegendre(nodes)
  return (x) => {
    const row = (numbers: readonly number[]): tf.Tensor => tf.tensor3d([...numbers], [1, 1, numbers.length])
    // the last point is x
    const values = h(tf.mul(x, row([...rule.map(({ node }) => node), 1])))
    const sum = tf.sum(tf.mul(values, row([...rule.map(({ weight }) => weight), 0])), 2, true)
    return [tf.mul(x, sum), tf.slice(values, [0, 0, nodes], [-1, -1, 1])]
  }
}
