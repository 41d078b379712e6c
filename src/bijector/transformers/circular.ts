/**
 * Circular rational-quadratic splines (Rezende et al. 2020, "Normalizing Flows on Tori and Spheres", section 2.2): splines
 * whose slopes at both ends of the interval are the same number, so that they are smooth on the circle, and a rotation.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { bounded, eachDirection, LEAST, piece, positiveSlopes, type Row, spans } from './rows.js'
import { rationalQuadratic } from './spline.js'

export interface CircularSplineOptions {
  /** K, the number of pieces, below 100, since each is at least a hundredth of the whole. Default: 8 */
  readonly bins?: number
  /** The length of the circle, in the unit of the data. Default: 2π */
  readonly period?: number
  /** Where the interval begins, from −period to 0. Default: −period/2 */
  readonly from?: number
}

/**
 * Circular rational-quadratic splines for angles in [from, from + period], by default [−π, π]. Both ends are the same
 * angle, and the density is smooth across it. Starts as the identity. Values outside the interval have log-det
 * −∞. In a coupling this holds for the variables that change; those that the mask keeps may be any numbers.
 *
 * With s the spline of K pieces (see `spline`), whose slope δ₀ = δ_K at both ends is free, a rotation φ, and wrap, which
 * adds the multiple of the period that brings a number into the interval. It takes 3K + 1 numbers for each variable.
 * Accuracy of the inverse: a few roundings of the period over the slope. Memory: O(K) for each variable.
 *
 * - Forward: y = wrap(s(x; θ) + φ)
 * - Forward log-det: Σ log s′(x; θ)
 * - Inverse: x = s⁻¹(wrap(y − φ); θ)
 * - Inverse log-det: −Σ log s′(x; θ)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.circularSpline({ bins: 16 }))())
 */
export const circularSpline = ({
  bins = 8,
  period = 2 * Math.PI,
  from = -period / 2,
}: CircularSplineOptions = {}): Transformer => {
  const wrap = (x: tf.Tensor): tf.Tensor => tf.sub(x, tf.mul(tf.floor(tf.mul(tf.sub(x, from), 1 / period)), period))
  const ring = [from, from + period] as const
  return {
    ...rowTransformer(
      'circularSpline',
      [
        count('bins', bins, { most: Math.ceil(1 / LEAST) - 1 }),
        positive('period', period),
        ['a from between minus the period and 0', from >= -period && from <= 0, from],
      ],
      3 * bins + 1,
      (rows) => {
        const raw = bounded(piece(rows, 0, 3 * bins))
        const rotation = piece(rows, 3 * bins, 1)
        const [width, left] = spans(piece(raw, 0, bins), from, period)
        const [height, bottom] = spans(piece(raw, bins, bins), from, period)
        const right: Row = positiveSlopes(piece(raw, 2 * bins, bins))
        // the slope at the left end of the first piece is that at the right end of the last
        const slopes = [tf.concat([piece(right, bins - 1, 1), piece(right, 0, bins - 1)], 2), right] as const
        const pieces = { left, width, bottom, height, slopes }
        return eachDirection((inverse) => {
          const spline = rationalQuadratic(pieces, inverse)
          const within = (value: tf.Tensor): tf.Tensor => tf.clipByValue(value, ...ring)
          return (value) => {
            if (inverse) return spline(within(wrap(tf.sub(value, rotation))))
            const [y, logSlope] = spline(within(value))
            return [wrap(tf.add(y, rotation)), logSlope]
          }
        })
      },
    ),
    support: ring,
    range: ring,
  }
}
