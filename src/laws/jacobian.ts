/**
 * log |det J| the long way: the dense Jacobian from gradients, its determinant by elimination in doubles. O(D³), so only
 * for small shapes: a bijector's own log-det is compared with it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Latents, Shape } from '../../types/shape.js'
import { jacobian } from '../tensor/derivatives.js'
import { latentList, product } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentBatch, latentTensors, trust, unwrap } from '../tensor/tensor.js'

/** All values of every latent, one row per example. */
export const rows = (z: unknown): tf.Tensor2D =>
  tf.concat(
    latentTensors(z).map((t) => tf.reshape(unwrap(t), [unwrap(t).shape[0]!, -1])),
    1,
  ) as tf.Tensor2D

/** Undoes {@link rows}: one tensor, or one for each latent. */
export const fromRows =
  <L extends Latents>(latents: L) =>
  (flat: AnyTensor): BatchOf<L> => {
    const shapes = latentList(latents)
    const pieces = tf.split(unwrap(flat), shapes.map(product), 1)
    const parts = pieces.map((piece, i) => trust<Shape>(tf.reshape(piece, [piece.shape[0]!, ...shapes[i]!])))
    return latentBatch(latents, parts)
  }

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

/**
 * log |det ∂f/∂x| in nats at the one example of the batch `x`. A separate law says that examples do not depend
 * on each other.
 *
 * @example denseLogDet((v) => T.times(2)(v), batch([3], [1, 2, 3])) // 2.079
 */
export const denseLogDet = (f: (x: AnyTensor) => unknown, x: AnyTensor): number =>
  tf.tidy(() => {
    const { size } = unwrap(x)
    const values = unwrap(jacobian((v: AnyTensor) => trust<Batch<Shape>>(rows(f(v))))(x)).dataSync()
    return logAbsDet(Array.from({ length: size }, (_, i) => [...values.subarray(i * size, (i + 1) * size)]))
  })
