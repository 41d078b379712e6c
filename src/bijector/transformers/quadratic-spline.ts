/**
 * Piecewise-quadratic bijections (Müller et al. 2019, "Neural Importance Sampling", section 4.2): the slope is linear
 * between K + 1 knots on [−B, B] and 1 at both ends, and the bijection is the identity outside.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import {
  bounded,
  chosen,
  type Each,
  eachDirection,
  identityOutside,
  LEAST,
  padded,
  piece,
  positiveSlopes,
  type Row,
  spans,
} from './rows.js'
import type { SplineOptions } from './spline.js'

/**
 * Piecewise-quadratic bijections on [−B, B], the identity outside. Starts as the identity. It takes 2K − 1 numbers for each
 * variable: K widths and K − 1 slopes, which are scaled so that the pieces fill [−B, B].
 *
 * With knots (xₖ, yₖ), widths w, slopes δ, δ₀ = δ_K = 1, yₖ₊₁ = yₖ + wₖ(δₖ + δₖ₊₁)/2 and α = (x − xₖ)/wₖ, the inverse is
 * exact to a few roundings of B over the slope. Memory: O(K) for each variable.
 *
 * - Forward: y = yₖ + wₖ(δₖα + ½(δₖ₊₁ − δₖ)α²)
 * - Forward log-det: Σ log(δₖ + (δₖ₊₁ − δₖ)α)
 * - Inverse: x = xₖ + wₖα, α = 2t/(δₖ + √(δₖ² + 2(δₖ₊₁ − δₖ)t)), t = (y − yₖ)/wₖ
 * - Inverse log-det: −Σ log(δₖ + (δₖ₊₁ − δₖ)α)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.quadraticSpline({ bins: 16 }))())
 */
export const quadraticSpline = ({ bins = 8, bound = 3 }: SplineOptions = {}): Transformer =>
  rowTransformer(
    'quadraticSpline',
    [count('bins', bins, { least: 2, most: Math.ceil(1 / LEAST) - 1 }), positive('bound', bound)],
    2 * bins - 1,
    (rows) => {
      const raw = bounded(rows)
      const [width, left] = spans(piece(raw, 0, bins), -bound, 2 * bound)
      const around = tf.mul(tf.add(piece(width, 0, bins - 1), piece(width, 1, bins - 1)), 0.5)
      const free = positiveSlopes(piece(raw, bins, bins - 1))
      // what the pieces of slope 1 at the ends leave of the whole, over what the free slopes fill
      const ends = tf.mul(tf.add(piece(width, 0, 1), piece(width, bins - 1, 1)), 0.5)
      const factor = tf.div(tf.sub(2 * bound, ends), tf.sum(tf.mul(free, around), 2, true))
      const slopes = padded(tf.mul(free, factor), 1, 1, 1)
      const [first, last]: readonly Row[] = [piece(slopes, 0, bins), piece(slopes, 1, bins)]
      const height = tf.mul(tf.mul(width, tf.add(first!, last!)), 0.5)
      const bottom = tf.sub(tf.cumsum(height, 2, true), bound)
      return eachDirection((inverse) =>
        identityOutside(bound, (value) => {
          const own = chosen(value, inverse ? bottom : left)
          const at = (row: Row): Each => tf.sum(tf.mul(own, row), 2, true)
          const [x0, y0, w, slope] = [at(left), at(bottom), at(width), at(first!)]
          const bend = tf.sub(at(last!), slope)
          if (inverse) {
            const t = tf.div(tf.sub(value, y0), w)
            // above 0, but for the rounding of t
            const reached = tf.sqrt(tf.maximum(tf.add(tf.square(slope), tf.mul(tf.mul(bend, t), 2)), LEAST ** 4))
            const alpha = tf.div(tf.mul(t, 2), tf.add(slope, reached))
            return [tf.add(x0, tf.mul(w, alpha)), tf.log(reached)]
          }
          const alpha = tf.div(tf.sub(value, x0), w)
          const rise = tf.add(tf.mul(slope, alpha), tf.mul(tf.mul(bend, tf.square(alpha)), 0.5))
          return [tf.add(y0, tf.mul(w, rise)), tf.log(tf.add(slope, tf.mul(bend, alpha)))]
        }),
      )
    },
  )
