/**
 * Sums of squares of polynomials (Jaini et al. 2019, "Sum-of-Squares Polynomial Flow", Eq. 9): their integral rises.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { integralFrom0 } from './integral.js'
import { bounded, LEAST, piece, straightBeyond } from './rows.js'

export interface SumOfSquaresOptions {
  /** K, the number of polynomials. Default: 3 */
  readonly polynomials?: number
  /** L, the degree of each, below 20. Default: 4 */
  readonly degree?: number
  /** B, in the unit of the data: polynomials on [−B, B], straight lines beyond. Default: 3 */
  readonly bound?: number
}

/** The bound of coefficients. */
const MOST_COEFFICIENT = 8

/**
 * Integrals of sums of squares of K polynomials of degree L on [−B, B], and straight lines beyond, with the slopes of the
 * ends: in the paper the polynomial continues, beyond the range of float32. Starts as the identity. It takes KL + 1 numbers for
 * each variable: coefficients aₖₗ, bounded to ±8, and c.
 *
 * With ε = 0.01 and pₖ(t) = √(2k/(K + 1)) + Σₗ aₖₗ(t/B)ˡ, k from 1 to K, l from 1 to L, so that Σ pₖ² = K at θ = 0;
 * L + 1 points of Gauss–Legendre quadrature are exact. The inverse is a root in [−B, B], found by 16 halvings and two
 * steps of Newton's method. Its values have an error of a few roundings of y over the slope. Memory: O(KL) for each
 * variable.
 *
 * - Forward: y = c + ∫₀ˣ g′(t) dt, g′(t) = ε + (1 − ε)/K·Σₖ pₖ(t)²
 * - Forward log-det: Σ log g′(x)
 * - Inverse: x is the root
 * - Inverse log-det: −Σ log g′(x)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.sumOfSquares({ degree: 6 }))())
 */
export const sumOfSquares = ({ polynomials = 3, degree = 4, bound = 3 }: SumOfSquaresOptions = {}): Transformer =>
  rowTransformer(
    'sumOfSquares',
    [count('polynomials', polynomials), count('degrees', degree, { most: 19 }), positive('bound', bound)],
    polynomials * degree + 1,
    (rows) => {
      const raw = bounded(piece(rows, 0, polynomials * degree))
      const shift = piece(rows, polynomials * degree, 1)
      // aₖₗ for each l, [N, V, K, 1]
      const coefficients = Array.from({ length: degree }, (_, l) =>
        tf.expandDims(tf.mul(piece(raw, l * polynomials, polynomials), MOST_COEFFICIENT / 2), 3),
      )
      // unequal, so that the polynomials do not get equal steps from equal gradients
      const constants = tf.tensor4d(
        Array.from({ length: polynomials }, (_, k) => Math.sqrt((2 * (k + 1)) / (polynomials + 1))),
        [1, 1, polynomials, 1],
      )
      const integral = integralFrom0(degree + 1, (t) => {
        const u = tf.expandDims(tf.mul(t, 1 / bound), 2)
        const p = coefficients.reduceRight<tf.Tensor>((sum, a) => tf.mul(tf.add(sum, a), u), tf.zerosLike(u))
        return tf.add(tf.mul(tf.mean(tf.square(tf.add(p, constants)), 2), 1 - LEAST), LEAST)
      })
      return straightBeyond(bound, (x) => {
        const [y, slope] = integral(x)
        return [tf.add(y, shift), slope]
      })
    },
  )
