/** Gradients against central differences. */
import * as tf from '@tensorflow/tfjs-core'
import { expect } from 'vitest'

/**
 * Compares the gradients of Σ w ⊙ f(xs), for fixed random weights w, with central differences at each coordinate, or
 * at the first `most` of each input. A coordinate where half the step answers otherwise has a kink within the step and
 * is left out; no more than a fifth may be.
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
    let [smooth, all] = [0, 0]
    xs.forEach((x, which) => {
      const values = x.dataSync()
      const moved = (i: number, by: number): number =>
        tf.tidy(() => {
          const shifted = tf.tensor(
            Array.from(values, (v, j) => (i === j ? v + by : v)),
            x.shape,
          )
          return total(...xs.map((same, k) => (k === which ? shifted : same))).dataSync()[0]!
        })
      const slope = (i: number, step: number): number => (moved(i, step) - moved(i, -step)) / (2 * step)
      const size = Math.max(1, ...Array.from(gradients[which]!, Math.abs))
      for (let i = 0; i < Math.min(x.size, most); i++) {
        const gradient = gradients[which]![i]!
        expect(Number.isFinite(gradient)).toBe(true)
        all++
        const far = slope(i, 1e-2)
        if (Math.abs(far - slope(i, 5e-3)) > tolerance * size) continue
        smooth++
        expect(Math.abs(gradient - far), `input ${which}, coordinate ${i}`).toBeLessThanOrEqual(tolerance * size)
      }
    })
    expect(smooth).toBeGreaterThanOrEqual(0.8 * all)
  })
