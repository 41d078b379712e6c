/** Gradients against differences. */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { expect } from 'vitest'
import { agreesWithDifferences as along } from '../src/laws/differences.js'
import { gradientsBy } from '../src/tensor/derivatives.js'

/** `tf.grads`, with zeros by the inputs that lead nowhere, of which `tf.grads` throws. */
export const gradientsOf =
  (f: (...xs: tf.Tensor[]) => tf.Tensor) =>
  (xs: readonly tf.Tensor[], dy?: tf.Tensor): tf.Tensor[] =>
    gradientsBy(() => f(...xs), xs, dy)

/**
 * Compares the gradients of Σ w ⊙ f(xs), for fixed random weights w, with differences at each coordinate, or at the
 * first `most` of each input. `tolerance` is relative to the input's largest gradient.
 */
export const agreesWithDifferences = (
  f: (...xs: tf.Tensor[]) => tf.Tensor,
  xs: readonly tf.Tensor[],
  { tolerance = 5e-3, most = 12 } = {},
): void =>
  tf.tidy(() => {
    const weights = tf.randomUniform(f(...xs).shape, -1, 1, 'float32', 7)
    const total = (...at: readonly tf.Tensor[]): tf.Tensor => tf.sum(tf.mul(f(...at), weights))
    const gradients = gradientsOf(total)([...xs]).map((g) => g.dataSync())
    xs.forEach((x, which) => {
      const allowed = tolerance * Math.max(1, ...Array.from(gradients[which]!, Math.abs))
      for (let i = 0; i < Math.min(x.size, most); i++) {
        const axis = tf.tidy(() => tf.reshape(tf.oneHot(tf.tensor1d([i], 'int32'), Math.max(2, x.size)), [-1]))
        const direction = xs.map((same, k) =>
          k === which ? tf.reshape(tf.cast(tf.slice(axis, 0, x.size), 'float32'), x.shape) : tf.zerosLike(same),
        )
        const what = `the gradient by input ${which}, coordinate ${i}`
        expect(along(what, total, xs, direction, gradients[which]![i]!, allowed)).toEqual(E.right(undefined))
      }
    })
  })
