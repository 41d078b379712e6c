/** Gradients against differences. */
import * as tf from '@tensorflow/tfjs-core'
import { expect } from 'vitest'

const steps = [1e-2, 3e-3, 1e-3, 3e-4]

/**
 * Compares the gradients of Σ w ⊙ f(xs), for fixed random weights w, with differences at each coordinate, or at the
 * first `most` of each input. A kink within a step spoils the difference on that side, rounding spoils short steps; so
 * some step must agree, from the middle or from one side. `tolerance` is relative to the input's largest gradient.
 */
export const agreesWithDifferences = (
  f: (...xs: tf.Tensor[]) => tf.Tensor,
  xs: readonly tf.Tensor[],
  { tolerance = 5e-3, most = 12 } = {},
): void =>
  tf.tidy(() => {
    const weights = tf.randomUniform(f(...xs).shape, -1, 1, 'float32', 7)
    const total = (...at: tf.Tensor[]): tf.Tensor => tf.sum(tf.mul(f(...at), weights))
    const gradients = tf
      .grads(total)([...xs])
      .map((g) => g.dataSync())
    const middle = total(...xs).dataSync()[0]!
    xs.forEach((x, which) => {
      const values = x.dataSync()
      const moved = (i: number, by: number): number => {
        const shifted = () => tf.tensor(values.map((v, j) => (i === j ? v + by : v)) as Float32Array, x.shape)
        return tf.tidy(() => total(...xs.map((same, k) => (k === which ? shifted() : same)))).dataSync()[0]!
      }
      const allowed = tolerance * Math.max(1, ...Array.from(gradients[which]!, Math.abs))
      for (let i = 0; i < Math.min(x.size, most); i++) {
        const gradient = gradients[which]![i]!
        const slopes: number[] = []
        const agrees = steps.some((step) => {
          const [right, left] = [(moved(i, step) - middle) / step, (middle - moved(i, -step)) / step]
          slopes.push((left + right) / 2, left, right)
          return slopes.slice(-3).some((slope) => Math.abs(gradient - slope) <= allowed)
        })
        expect(agrees, `input ${which}, coordinate ${i}: gradient ${gradient}, differences ${slopes}`).toBe(true)
      }
    })
  })
