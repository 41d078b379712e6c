/**
 * A linear map by its LU decomposition (Kingma & Dhariwal 2018, Eqs. 10, 11).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Same } from '../../types/shape.js'
import { seedOption } from '../tensor/options.js'
import { constant } from '../tensor/params.js'
import { key, permutation } from '../tensor/random.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import type { Layer } from './layer.js'
import { linear, matrixOf } from './linear.js'
import { withOptions } from './options.js'
import { permuteLast } from './permutation.js'

/**
 * The inverse of I + N with N strictly triangular, in ⌈log₂C⌉ levels of two products: from the inverses of the diagonal
 * blocks of size b to those of size 2b by X ← X − X·N′·X, N′ the blocks of N beside them.
 */
const unitTriangularInverse = (n: tf.Tensor2D): tf.Tensor2D => {
  const c = n.shape[0]
  let x: tf.Tensor2D = tf.eye(c)
  for (let b = 1; b < c; b *= 2) {
    const block = (i: number, size: number): number => Math.floor(i / size)
    const beside = matrixOf(c, (i, j) => (block(i, b) !== block(j, b) && block(i, 2 * b) === block(j, 2 * b) ? 1 : 0))
    x = tf.sub(x, tf.matMul(tf.matMul(x, tf.mul(n, beside)), x))
  }
  return x
}

export interface LuLinearOptions {
  /** Which random permutation is fixed. Default: 0 */
  readonly seed?: number
}

/**
 * A learned linear map of the last axis, as LU decomposition with a fixed random permutation P. Invertible at any
 * parameters. Starts as the permutation. A product with C×C numbers in both directions; the inverse needs the inverses
 * of two triangular matrices, which take 4⌈log₂C⌉ products of matrices and no substitution. Memory: two results, and
 * ⌈log₂C⌉ matrices for the gradient of the inverse.
 *
 * - Forward: y = x·P·L·(U + diag exp(s)), L unit lower triangular, U strictly upper triangular
 * - Forward log-det: H·W·Σ s
 * - Inverse: x = y·(U + diag exp(s))⁻¹·L⁻¹·Pᵀ
 * - Inverse log-det: −H·W·Σ s
 *
 * @example compose(input([32, 32, 3]), squeeze, actNorm, luLinear(), coupling(channelwise()))
 */
export const luLinear = ({ seed = 0 }: LuLinearOptions = {}): Layer<Same> =>
  withOptions('luLinear', [seedOption(seed)], () =>
    linear(
      'luLinear',
      (c) => ({ lower: constant([c, c], 0), upper: constant([c, c], 0), logScale: constant([c], 0) }),
      (c) => {
        const order = permuteLast([...permutation(key(seed), c)])
        const below = (m: AnyTensor): tf.Tensor2D =>
          tf.mul(
            unwrap(m),
            matrixOf(c, (i, j) => (i > j ? 1 : 0)),
          )
        const above = (m: AnyTensor): tf.Tensor2D =>
          tf.mul(
            unwrap(m),
            matrixOf(c, (i, j) => (i < j ? 1 : 0)),
          )
        return {
          forward: ({ lower, upper, logScale }) => {
            const u = tf.add(tf.mul(tf.eye(c), tf.exp(unwrap(logScale))), above(upper)) as tf.Tensor2D
            const lu = tf.matMul(tf.add(tf.eye(c), below(lower)) as tf.Tensor2D, u)
            const rows = unwrap(order.back(trust(tf.transpose(lu))))
            return [tf.transpose(rows), unwrap(logScale)]
          },
          inverse: ({ lower, upper, logScale }) => {
            const scale = tf.exp(unwrap(logScale))
            // U + D = D·(I + D⁻¹U)
            const u = tf.div(unitTriangularInverse(tf.div(above(upper), tf.reshape(scale, [c, 1]))), scale)
            const inverse = tf.matMul(u as tf.Tensor2D, unitTriangularInverse(below(lower)))
            return [unwrap(order.back(trust(inverse))), tf.neg(unwrap(logScale))]
          },
        }
      },
    ),
  )
