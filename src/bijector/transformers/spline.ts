/**
 * Rational-quadratic splines (Durkan et al. 2019, "Neural Spline Flows"): monotonic, piecewise between K + 1 knots
 * (xₖ, yₖ) with derivatives δₖ, and the identity outside [−B, B]. With ξ = (x − xₖ)/wₖ, s = hₖ/wₖ, σ = δₖ₊₁ + δₖ − 2s:
 *
 *     y     = yₖ + hₖ(sξ² + δₖξ(1−ξ)) / (s + σξ(1−ξ))                                  (their Eq. 4)
 *     dy/dx = s²(δₖ₊₁ξ² + 2sξ(1−ξ) + δₖ(1−ξ)²) / (s + σξ(1−ξ))²                         (their Eq. 5)
 *     aξ² + bξ = c with a = hₖ(s − δₖ) + σ(y − yₖ), b = hₖδₖ − σ(y − yₖ), c = s(y − yₖ)
 *     ξ     = 2c / q if b > 0, else q / 2a, where q = |b| + √(b² + 4ac)                 (their Eq. 29, and its conjugate)
 *
 * q is a sum of positive numbers, so neither form loses digits to cancellation.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { type EachRow, rowTransformer, type Transformer } from '../transformer.js'
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

export interface SplineOptions {
  /** K, the number of pieces, below 100, since each is at least a hundredth of the whole. Default: 8 */
  readonly bins?: number
  /** B, in the unit of the data: the spline changes [−B, B] and leaves everything outside as it is. Default: 3 */
  readonly bound?: number
}

/** A rational-quadratic spline: where the pieces begin, their widths and heights, and the slopes at both ends of each. */
interface Pieces {
  readonly left: Row
  readonly width: Row
  readonly bottom: Row
  readonly height: Row
  readonly slopes: readonly [left: Row, right: Row]
}

/**
 * The spline inside its bounds: maps values (x, or y if `inverse`) to the other side and log dy/dx.
 *
 * @internal
 */
export const rationalQuadratic =
  ({ left, width, bottom, height, slopes }: Pieces, inverse: boolean): EachRow =>
  (within) => {
    const own = chosen(within, inverse ? bottom : left)
    const at = (row: Row): Each => tf.sum(tf.mul(own, row), 2, true)
    const [x0, w, y0, h] = [at(left), at(width), at(bottom), at(height)]
    const [d0, d1] = [at(slopes[0]), at(slopes[1])]
    const s = tf.div(h, w)
    const bend = tf.sub(tf.add(d1, d0), tf.mul(s, 2))
    const root = (): Each => {
      const up = tf.sub(within, y0)
      const a = tf.add(tf.mul(h, tf.sub(s, d0)), tf.mul(bend, up))
      const b = tf.sub(tf.mul(h, d0), tf.mul(bend, up))
      const c = tf.mul(s, up)
      const q = tf.add(tf.abs(b), tf.sqrt(tf.relu(tf.add(tf.square(b), tf.mul(tf.mul(a, c), 4)))))
      const rising = tf.step(b)
      const either = (p: Each, n: Each): Each => tf.add(tf.mul(rising, p), tf.mul(tf.sub(1, rising), n))
      return tf.div(either(tf.mul(c, 2), q), either(q, tf.mul(a, 2)))
    }
    const xi = inverse ? root() : tf.div(tf.sub(within, x0), w)
    const rest = tf.sub(1, xi)
    const both = tf.mul(xi, rest)
    const below = tf.add(s, tf.mul(bend, both))
    const other = inverse
      ? tf.add(x0, tf.mul(w, xi))
      : tf.add(y0, tf.div(tf.mul(h, tf.add(tf.mul(s, tf.square(xi)), tf.mul(d0, both))), below))
    const above = tf.add(tf.add(tf.mul(d1, tf.square(xi)), tf.mul(tf.mul(s, both), 2)), tf.mul(d0, tf.square(rest)))
    const logSlope = tf.mul(tf.sub(tf.add(tf.log(s), tf.mul(tf.log(above), 0.5)), tf.log(below)), 2)
    return [other, logSlope]
  }

/** The pieces of 3K − 1 numbers for each variable, with slope 1 at both bounds. */
const piecesOf = (raw: Row, bins: number, bound: number): Pieces => {
  const [width, left] = spans(piece(raw, 0, bins), -bound, 2 * bound)
  const [height, bottom] = spans(piece(raw, bins, bins), -bound, 2 * bound)
  const slopes = padded(positiveSlopes(piece(raw, 2 * bins, bins - 1)), 1, 1, 1)
  return { left, width, bottom, height, slopes: [piece(slopes, 0, bins), piece(slopes, 1, bins)] }
}

/**
 * Rational-quadratic splines on [−B, B], the identity outside. Starts as the identity. It bends where the affine family
 * only scales, and takes 3K − 1 numbers for each variable instead of 2.
 *
 * - Forward: y = g(x; θ)
 * - Forward log-det: Σ log g′(x; θ)
 * - Inverse: x = g⁻¹(y; θ)
 * - Inverse log-det: −Σ log g′(x; θ)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.spline({ bins: 16 }))())
 */
export const spline = ({ bins = 8, bound = 3 }: SplineOptions = {}): Transformer =>
  rowTransformer(
    'spline',
    [count('bins', bins, { most: Math.ceil(1 / LEAST) - 1 }), positive('bound', bound)],
    3 * bins - 1,
    (rows) => {
      const pieces = piecesOf(bounded(rows), bins, bound)
      return eachDirection((inverse) => identityOutside(bound, rationalQuadratic(pieces, inverse)))
    },
  )
