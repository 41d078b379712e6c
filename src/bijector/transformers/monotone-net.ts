/**
 * Integrals of positive nets (Wehenkel & Louppe 2019, "Unconstrained Monotonic Neural Networks", Eq. 1).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { integralFrom0 } from './integral.js'
import { bounded, piece, positiveSlopes, straightBeyond } from './rows.js'

export interface MonotoneNetOptions {
  /** H, the number of hidden units. Default: 8 */
  readonly hidden?: number
  /** The number of points of the quadrature. Default: 20 */
  readonly points?: number
  /** B, in the unit of the data: the integral from −B to B, and a straight line beyond. Default: 3 */
  readonly bound?: number
}

/**
 * Integrals of a positive net with H hidden units, whose weights are θ, on [−B, B], and straight lines beyond, with the
 * slopes of the ends. Starts as the identity. It takes 3H + 2 numbers for each variable: v, d, and the steepness and the
 * place of each unit relative to fixed ones, each bounded to ±2; and c.
 *
 * The paper has Clenshaw–Curtis quadrature and weights that all variables share; here it is Gauss–Legendre quadrature, and
 * weights from the conditioner. With fixed places mⱼ evenly spaced from −3 to 3, and softplus shifted so that h = 1 at
 * θ = 0. At 20 points the error of the integral is below 10⁻⁵·B. The inverse is a root in [−B, B], found by 16 halvings
 * and two steps of Newton's method. Its values have an error of a few roundings of y over the slope, and its log-det the
 * error of the quadrature. Memory: O(H·points) for each variable.
 *
 * - Forward: y = c + ∫₀ˣ h(t) dt, h(t) = softplus(d + Σⱼ vⱼ tanh(exp(½wⱼ)·(3t/B − mⱼ − bⱼ))) + 0.01
 * - Forward log-det: Σ log h(x)
 * - Inverse: x is the root
 * - Inverse log-det: −Σ log h(x)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.monotoneNet({ hidden: 16 }))())
 */
export const monotoneNet = ({ hidden = 8, points = 20, bound = 3 }: MonotoneNetOptions = {}): Transformer =>
  rowTransformer(
    'monotoneNet',
    [count('hidden units', hidden), count('points', points, { least: 2, most: 200 }), positive('bound', bound)],
    3 * hidden + 2,
    (rows) => {
      const raw = bounded(piece(rows, 0, 3 * hidden + 1))
      const shift = piece(rows, 3 * hidden + 1, 1)
      // [N, V, 1, H]
      const units = (from: number): tf.Tensor => tf.expandDims(piece(raw, from * hidden, hidden), 2)
      const places = tf.tensor1d(Array.from({ length: hidden }, (_, j) => (6 * (j + 0.5)) / hidden - 3))
      const [weight, steepness, place] = [units(0), tf.exp(tf.mul(units(1), 0.5)), tf.add(units(2), places)]
      const offset = piece(raw, 3 * hidden, 1)
      const integral = integralFrom0(points, (t) => {
        const x = tf.expandDims(tf.mul(t, 3 / bound), 3)
        const features = tf.tanh(tf.mul(tf.sub(x, place), steepness))
        return positiveSlopes(tf.add(tf.sum(tf.mul(features, weight), 3), offset))
      })
      return straightBeyond(bound, (x) => {
        const [y, slope] = integral(x)
        return [tf.add(y, shift), slope]
      })
    },
  )
