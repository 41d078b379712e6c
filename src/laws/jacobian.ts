/**
 * log |det J| the long way: the dense Jacobian from gradients, its determinant by elimination in doubles. O(D³): for
 * small shapes, as what a bijector's own log-det is compared with.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyTensor, latentTensors, trust, unwrap } from '../tensor/tensor.js'

/** All values of every latent, one row per example. */
export const rows = (z: unknown): tf.Tensor2D =>
  tf.concat(
    latentTensors(z).map((t) => tf.reshape(unwrap(t), [unwrap(t).shape[0]!, -1])),
    1,
  ) as tf.Tensor2D

const logAbsDet = (matrix: readonly (readonly number[])[]): number => {
  const m = matrix.map((row) => [...row])
  let logDet = 0
  for (let k = 0; k < m.length; k++) {
    const pivot = m.slice(k).reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(m[best]![k]!) ? k + i : best), k)
    ;[m[k], m[pivot]] = [m[pivot]!, m[k]!]
    logDet += Math.log(Math.abs(m[k]![k]!))
    for (let i = k + 1; i < m.length; i++) {
      const factor = m[i]![k]! / m[k]![k]!
      for (let j = k; j < m.length; j++) m[i]![j]! -= factor * m[k]![j]!
    }
  }
  return logDet
}

/** log |det ∂f/∂x| in nats at the one example of the batch `x`. */
export const denseLogDet = (f: (x: AnyTensor) => unknown, x: AnyTensor): number => {
  const at = unwrap(x)
  return logAbsDet(
    Array.from({ length: at.size }, (_, i) =>
      tf.tidy(() => [
        ...tf
          .grad((v: tf.Tensor) => tf.sum(tf.slice(rows(f(trust(v))), [0, i], [1, 1])))(at)
          .dataSync(),
      ]),
    ),
  )
}
