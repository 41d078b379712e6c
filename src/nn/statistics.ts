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
