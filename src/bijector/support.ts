/**
 * Supports: the values that a bijector accepts, in either direction. A density is 0 outside its support, so the log-det is
 * −∞ there. The bijector itself runs at the nearest value inside, which keeps values and gradients finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { sumEvent, tidy } from '../tensor/ops.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'

/** The values from `low` to `high`, both included where they are finite. Infinities belong to no interval. */
export type Interval = readonly [low: number, high: number]

/** All finite numbers. */
export const REALS: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]

/** The smallest positive number that float32 holds at full precision. */
export const SMALLEST = 2 ** -126
/** The largest number of float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127

/** A bound as float32 rounds it, so that a tensor can reach it; an infinite one as the largest number. */
const bounds = ([low, high]: Interval): Interval => [
  Math.max(Math.fround(low), -LARGEST),
  Math.min(Math.fround(high), LARGEST),
]

/** Whether an interval has a finite end. */
export const isBounded = ([low, high]: Interval): boolean => Number.isFinite(low) || Number.isFinite(high)

/** The replacement for a value outside: the nearest bound if that is finite, else the other one, else 0. */
const nearest = ([low, high]: Interval): Interval => {
  const finite = [low, high].filter(Number.isFinite)
  const other = finite[0] ?? 0
  return [Number.isFinite(low) ? low : other, Number.isFinite(high) ? high : other]
}

/** f(x) with gradient 0: comparisons have no gradient in TensorFlow.js. */
const withoutGradient = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor =>
  tf.customGrad((v) => ({ value: f(v as tf.Tensor), gradFunc: () => tf.zerosLike(v as tf.Tensor) }))(x)

/** Values with those outside of an interval moved to its nearest bound. NaN stays NaN. */
export const clamp = (interval: Interval, x: AnyTensor): AnyTensor => {
  const [low, high] = bounds(interval)
  const [least, most] = nearest(interval)
  const value = (t: tf.Tensor): tf.Tensor =>
    tf.where(tf.less(t, low), tf.fill(t.shape, least), tf.where(tf.greater(t, high), tf.fill(t.shape, most), t))
  // `where`, not a product: the gradient that arrives for a value outside may be infinite
  const slope = (t: tf.Tensor, dy: tf.Tensor): tf.Tensor =>
    tf.where(tf.logicalAnd(tf.greaterEqual(t, low), tf.lessEqual(t, high)), dy, tf.zerosLike(dy))
  const clamped = tf.customGrad((v, save) => {
    const t = v as tf.Tensor
    ;(save as tf.GradSaveFunc)([t])
    return { value: value(t), gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => slope(saved!, dy) }
  })
  return tidy(() => trust(clamped(unwrap(x))))
}

/** For each example: 0 if all its values are inside the interval, −∞ if one is outside, NaN if one is NaN. */
export const logInside = (interval: Interval, x: AnyTensor): PerExample => {
  const [low, high] = bounds(interval)
  const each = (t: tf.Tensor): tf.Tensor => {
    const outside = tf.logicalOr(tf.less(t, low), tf.greater(t, high))
    // x − x is 0, or NaN for NaN
    return tf.where(outside, tf.fill(t.shape, Number.NEGATIVE_INFINITY), tf.sub(t, t))
  }
  return tidy(() => sumEvent(trust(withoutGradient(each, unwrap(x)))))
}
