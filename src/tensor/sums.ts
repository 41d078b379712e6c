/**
 * Sums of many numbers, to float32's digits.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { product } from './shape.js'

/** How many numbers are added one after another: float32 then loses 4e-6 of their sum at most. */
export const MOST = 512
const CHUNK = 256

/** Sums over the second of three axes. The engines add one after another, so long ones are added in chunks first. */
export const sumSecond = (t: tf.Tensor): tf.Tensor => {
  const [before, count, after] = t.shape as [number, number, number]
  if (count <= MOST) return tf.sum(t, 1)
  const chunks = Math.ceil(count / CHUNK)
  const missing = chunks * CHUNK - count
  const whole =
    missing === 0
      ? t
      : tf.pad(t, [
          [0, 0],
          [0, missing],
          [0, 0],
        ])
  return sumSecond(tf.sum(tf.reshape(whole, [before, chunks, CHUNK, after]), 2))
}

/** The sum over a long axis of an event. Of a batch the size is not known in an exported program. */
export const sumOver = (x: tf.Tensor, axis: number): tf.Tensor | undefined => {
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)]
  if (axis === 0 || x.shape[axis]! <= MOST) return undefined
  const flat = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [product(before), x.shape[axis]!, product(after)])
  return tf.tidy(() => tf.reshape(sumSecond(flat(x)), [...before, ...after]))
}
