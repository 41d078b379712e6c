/**
 * Latents as one vector of all their elements, for bases that are joint over them.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents } from '../../types/shape.js'
import { clamp, logInside, REALS } from '../bijector/support.js'
import { add, tidy } from '../tensor/ops.js'
import { latentList, product } from '../tensor/shape.js'
import { type AnyTensor, latentTensors, type PerExample, sizes, trust, unwrap } from '../tensor/tensor.js'

/** The number of elements of all latents. */
export const elements = (latents: Latents): number => latentList(latents).reduce((n, shape) => n + product(shape), 0)

/** Latents as one vector for each example. */
export const flattened = (z: unknown): tf.Tensor2D => {
  const parts = latentTensors(z).map((part) => tf.reshape(unwrap(part), [sizes(part)[0]!, -1]))
  return (parts.length === 1 ? parts[0]! : tf.concat(parts, 1)) as tf.Tensor2D
}

/** The inverse: a vector for each example as latents. */
export const unflattened = (latents: Latents, flat: tf.Tensor): readonly AnyTensor[] => {
  const shapes = latentList(latents)
  const parts = shapes.length === 1 ? [flat] : tf.split(flat, shapes.map(product), 1)
  return parts.map((part, i) => trust(tf.reshape(part, [part.shape[0]!, ...shapes[i]!])))
}

/** A log-density of a vector of finite numbers, as one of latents: −∞ at infinities, NaN for NaN. */
export const ofFinite =
  (logProb: (flat: tf.Tensor2D) => tf.Tensor) =>
  (z: unknown): PerExample =>
    tidy(() => {
      const flat = trust<readonly ['N', number]>(flattened(z))
      return add(logInside(REALS, flat))(trust(logProb(unwrap(clamp(REALS, flat)) as tf.Tensor2D)))
    })

/** u², at most 10³⁷: a sum of squares stays finite, and so do gradients. */
export const boundedSquare = (u: tf.Tensor): tf.Tensor => tf.square(tf.minimum(tf.maximum(u, -3e18), 3e18))
