/**
 * Statistics of batches, for the norms of nets and of flows.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** Mean and biased variance over all axes but the last, or over those given, which then stay as 1. */
export const moments = (
  x: tf.Tensor,
  axes?: readonly number[],
): { readonly mean: tf.Tensor; readonly variance: tf.Tensor } => {
  const over = [...(axes ?? x.shape.slice(0, -1).keys())]
  const kept = axes !== undefined
  const mean = tf.mean(x, over, kept)
  return { mean, variance: tf.mean(tf.square(tf.sub(x, mean)), over, kept) }
}

/** A running statistic after one more batch: (1 − momentum)·old + momentum·fresh. */
export const mixed = (momentum: number, old: tf.Tensor, fresh: tf.Tensor): tf.Tensor =>
  tf.add(tf.mul(old, 1 - momentum), tf.mul(fresh, momentum))

/**
 * Mean and standard deviation of data in any unit, over all axes but the last; the deviation is 1 where there is none.
 * Values are scaled by their mean distance before they are squared, so nothing overflows or vanishes. With this
 * scaling a constant leaves only the rounding error of its mean, the same number everywhere, and hardly any variance.
 */
export const unitMoments = (x: tf.Tensor): { readonly mean: tf.Tensor; readonly deviation: tf.Tensor } => {
  const over = [...x.shape.slice(0, -1).keys()]
  const rough = tf.mean(x, over)
  const centred = tf.sub(x, rough)
  const distance = tf.mean(tf.abs(centred), over)
  const one = tf.onesLike(distance)
  const unit = tf.where(tf.greater(distance, 0), distance, one)
  const { mean, variance } = moments(tf.div(centred, unit))
  return {
    mean: tf.add(rough, tf.mul(unit, mean)),
    deviation: tf.where(tf.greater(variance, 1e-4), tf.mul(unit, tf.sqrt(variance)), one),
  }
}

/** A variance above what rounding leaves of a constant: 3·10⁻⁵ of the mean. */
export const isSpread = (mean: tf.Tensor, variance: tf.Tensor): tf.Tensor =>
  tf.greater(variance, tf.mul(tf.square(mean), 1e-9))
