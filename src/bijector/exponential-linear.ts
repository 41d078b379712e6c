/**
 * Linear maps as exponentials of matrices (Hoogeboom et al. 2020): all with a positive determinant that are near the
 * identity, or, of a skew-symmetric matrix, the rotations.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Same } from '../../types/shape.js'
import { oneOf } from '../tensor/options.js'
import { constant, gaussian } from '../tensor/params.js'
import { type AnyTensor, unwrap } from '../tensor/tensor.js'
import type { Layer } from './layer.js'
import { linear } from './linear.js'
import { withOptions } from './options.js'

const SQUARINGS = 6
const TERMS = 8

/** exp(A) by scaling and squaring, as I + E: E(2A) = 2E + E² keeps the digits of a small E. */
const matrixExponential = (a: tf.Tensor): tf.Tensor2D => {
  const one = tf.eye(a.shape[0]!)
  const small = tf.mul(a, 2 ** -SQUARINGS) as tf.Tensor2D
  let series: tf.Tensor2D = one
  for (let k = TERMS; k > 1; k--) series = tf.add(one, tf.mul(tf.matMul(small, series), 1 / k))
  let e = tf.matMul(small, series)
  for (let i = 0; i < SQUARINGS; i++) e = tf.add(tf.mul(e, 2), tf.matMul(e, e))
  return tf.add(one, e)
}

/**
 * A learned linear map of the last axis, the exponential of a matrix. Invertible at any parameters. Starts as the
 * identity. Both directions take 14 products of C×C matrices (scaling and squaring, 6 squarings, 8 terms of the series:
 * exact to the rounding of float32 up to a spectral norm of 32), and one with the values. Memory: two results, and 14
 * matrices for the gradient.
 *
 * - Forward: y = x·exp(A)
 * - Forward log-det: H·W·tr A
 * - Inverse: x = y·exp(−A)
 * - Inverse log-det: −H·W·tr A
 *
 * @example compose(input([6]), actNorm, exponentialLinear(), coupling(halves()))
 */
export const exponentialLinear = (): Layer<Same> =>
  linear(
    'exponentialLinear',
    (c) => ({ generator: constant([c, c], 0) }),
    (c) => {
      const by =
        (sign: 1 | -1) =>
        ({ generator }: { readonly generator: AnyTensor }) => {
          const a = tf.mul(unwrap(generator), sign)
          return [matrixExponential(a), tf.mul(a, tf.eye(c))] as const
        }
      return { forward: by(1), inverse: by(-1) }
    },
  )

export interface RotationOptions {
  /** Whether it starts as a random rotation, or as the identity. Default: random */
  readonly start?: 'random' | 'identity'
}

/**
 * A learned rotation of the last axis, the exponential of a skew-symmetric matrix. It starts at random: the angles of its
 * planes are spread over −π … π. Cost and memory are those of `exponentialLinear`; the inverse is the transpose.
 *
 * - Forward: y = x·exp(A − Aᵀ)
 * - Forward log-det: 0
 * - Inverse: x = y·exp(A − Aᵀ)ᵀ
 * - Inverse log-det: 0
 *
 * @example compose(input([6]), elementwiseOf(Transformers.spline()), rotation(), elementwiseOf(Transformers.spline()))
 */
export const rotation = ({ start = 'random' }: RotationOptions = {}): Layer<Same> =>
  withOptions('rotation', [oneOf('start', start, ['random', 'identity'])], () =>
    linear(
      'rotation',
      // the angles of a skew-symmetric matrix with entries of deviation σ follow a semicircle of radius 2σ√C
      (c) => ({ generator: start === 'random' ? gaussian([c, c], Math.PI / Math.sqrt(8 * c)) : constant([c, c], 0) }),
      () => {
        const matrix = ({ generator }: { readonly generator: AnyTensor }) => {
          const a = unwrap(generator)
          return matrixExponential(tf.sub(a, tf.transpose(a)))
        }
        return { forward: (p) => [matrix(p)], inverse: (p) => [tf.transpose(matrix(p))] }
      },
    ),
  )
