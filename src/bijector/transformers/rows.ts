/**
 * Helpers of families with several numbers for each variable: rows [N, V, K] beside values [N, V, 1].
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { type Rising, risingRoot } from '../../tensor/root.js'
import type { EachRow } from '../transformer.js'

/** One number for each variable, [N, V, 1]. */
export type Each = tf.Tensor
/** A row of numbers for each variable, [N, V, K]. */
export type Row = tf.Tensor

/** The least width and height of a piece, as a share of the whole, and the least slope at a knot. */
export const LEAST = 1e-2
/** Numbers are bounded to ±MOST, as affine coupling bounds s: steeper pieces would lose digits of float32. */
const MOST = 2
/** softplus(ONE) + LEAST = 1 */
const ONE = Math.log(Math.expm1(1 - LEAST))

/** Numbers in (−2, 2): 2·tanh(a/2). */
export const bounded = (row: Row): Row => tf.mul(tf.tanh(tf.mul(row, 1 / MOST)), MOST)

/** Slopes from `LEAST` on; 1 for 0. */
export const positiveSlopes = (row: Row): Row => tf.add(tf.softplus(tf.add(row, ONE)), LEAST)

export const padded = (row: Row, before: number, after: number, value: number): Row =>
  tf.pad(row, [...row.shape.slice(1).map(() => [0, 0] as [number, number]), [before, after]], value)

/** `size` numbers of each row. */
export const piece = (row: Row, from: number, size: number): Row =>
  tf.slice(row, [0, 0, from], [...row.shape.slice(0, -1), size])

/** Positive sizes that add up to `whole`, and where each piece begins, from `start` on. */
export const spans = (raw: Row, start: number, whole: number): readonly [size: Row, start: Row] => {
  const bins = raw.shape[2]!
  const size = tf.mul(tf.add(tf.mul(tf.softmax(raw), 1 - bins * LEAST), LEAST), whole)
  return [size, tf.add(tf.cumsum(size, 2, true), start)]
}

/** 1 at the piece that contains a value, else 0. Uses `step`: comparisons have no gradient in TensorFlow.js. */
export const chosen = (value: Each, start: Row): Row => {
  const bins = start.shape[2]!
  const past = padded(tf.step(tf.sub(value, piece(start, 1, bins - 1))), 1, 0, 1)
  return tf.sub(past, padded(piece(past, 1, bins - 1), 0, 1, 0))
}

/** Both directions on values [N, V], from functions of values [N, V, 1] that return log dy/dx in either direction. */
export const eachDirection = (
  functionOf: (inverse: boolean) => EachRow,
): { readonly forward: EachRow; readonly inverse: EachRow } => {
  const direction =
    (inverse: boolean): EachRow =>
    (values) => {
      const [other, logSlope] = functionOf(inverse)(tf.expandDims(values, 2))
      const each = (t: Each): tf.Tensor => tf.squeeze(t, [2])
      return [each(other), each(inverse ? tf.neg(logSlope) : logSlope)]
    }
  return { forward: direction(false), inverse: direction(true) }
}

/** A function on [−bound, bound], in either direction, and the identity outside. */
export const identityOutside =
  (bound: number, f: EachRow): EachRow =>
  (value) => {
    const [other, logSlope] = f(tf.clipByValue(value, -bound, bound))
    const inside = tf.step(tf.sub(bound, tf.abs(value)))
    const outside = tf.sub(1, inside)
    return [tf.add(tf.mul(inside, other), tf.mul(outside, value)), tf.mul(inside, logSlope)]
  }

/** Both directions of a rising function without a closed inverse, from brackets of its roots. */
export const risingDirections = (
  f: Rising,
  bracket: (y: Each) => readonly [low: Each, high: Each],
): ReturnType<typeof eachDirection> =>
  eachDirection((inverse) => (value) => {
    if (!inverse) {
      const [y, logSlope] = f(value)
      return [y, logSlope()]
    }
    const x = risingRoot(f, value, ...bracket(value))
    return [x, f(x)[1]()]
  })

/** Both directions of a function that rises on [−bound, bound], from its values and slopes there: a straight line beyond. */
export const straightBeyond = (
  bound: number,
  f: (x: tf.Tensor) => readonly [value: tf.Tensor, slope: tf.Tensor],
): ReturnType<typeof eachDirection> => {
  const extended: Rising = (x) => {
    const inside = tf.clipByValue(x, -bound, bound)
    const [y, slope] = f(inside)
    return [tf.add(y, tf.mul(slope, tf.sub(x, inside))), () => tf.log(slope)]
  }
  return risingDirections(extended, () => [tf.scalar(-bound), tf.scalar(bound)])
}
