/**
 * Sums, means, maxima, and what normalises along one dimension. The table is in `ops.ts`.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Told } from '../../types/check.js'
import type { AxisRefusal, Without } from '../../types/ops.js'
import type { Dims } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { stopGradient } from './derivatives.js'
import { examplesIn } from './numbers.js'
import * as shapes from './shape.js'
import { MOST, sumOver, sumSecond } from './sums.js'
import { type AnyTensor, type PerExample, sizes, type Tensor, tensorIn, trust, unwrap } from './tensor.js'

/**
 * The sum over everything but the batch: one number per example, to 1e-5 of it if all have one sign.
 * @example T.sumEvent(batch([2], [1, 2, 3, 4])) // [3, 7]
 */
export const sumEvent = (x: Tensor<readonly ['N', ...Dims]> | AnyTensor): PerExample => {
  examplesIn('sumEvent', x)
  const t = unwrap(x)
  if (t.rank === 1) return trust(tf.clone(t)) // a separate tensor: freeing the sum must not free x
  return trust(
    tf.tidy(() => {
      const [n, first, ...more] = t.shape as [number, number, ...number[]]
      const size = shapes.product(more)
      if (first > MOST || size > MOST) return tf.reshape(sumSecond(tf.reshape(t, [n, first * size, 1])), [n])
      const within = more.map((_, i) => i + 2)
      return tf.sum(within.length > 0 ? tf.sum(t, within) : t, 1)
    }),
  )
}
/**
 * The mean of all elements.
 * @example T.mean(batch([2], [1, 2, 3, 4])) // [2.5]
 */
export const mean = (x: AnyTensor): Tensor<readonly []> => trust(tf.mean(tensorIn('mean', x)))
/**
 * The sum of all elements.
 * @example T.sum(batch([2], [1, 2, 3, 4])) // [10]
 */
export const sum = (x: AnyTensor): Tensor<readonly []> => trust(tf.sum(tensorIn('sum', x)))

const overAxis =
  <Op extends string>(name: Op, op: (x: tf.Tensor, axis: number) => tf.Tensor) =>
  <const Axis extends number>(axis: Axis) =>
  <S extends Dims>(x: Told<AxisRefusal<Op, S, Axis>> & Tensor<S>): Tensor<Without<S, Axis>> => {
    orThrow(shapes.axis(name, axis)(sizes(x)))
    return trust(op(unwrap(x), axis))
  }
/**
 * The sum over one dimension, counted from 0, the batch.
 *
 * @example T.sumAxis(1)(batch([2], [1, 2, 3, 4])) // [3, 7]
 * @throws DiffeoException if an axis known only at run time does not exist
 */
export const sumAxis = overAxis('sumAxis', (x, axis) => sumOver(x, axis) ?? tf.sum(x, axis))
/**
 * The mean over one dimension, counted from 0, the batch.
 * @example T.meanAxis(1)(batch([2], [1, 2, 3, 4])) // [1.5, 3.5]
 */
export const meanAxis = overAxis('meanAxis', (x, axis) =>
  tf.tidy(() => {
    const sum = sumOver(x, axis)
    return sum === undefined ? tf.mean(x, axis) : tf.div(sum, x.shape[axis]!)
  }),
)
/**
 * The greatest value along one dimension, counted from 0, the batch.
 * @example T.maxAxis(1)(batch([2], [1, 2, 3, 4])) // [2, 4]
 */
export const maxAxis = overAxis('maxAxis', tf.max)

/**
 * One zero per example.
 * @example T.zeroPerExample(batch([2], [1, 2, 3, 4])) // [0, 0]
 */
export const zeroPerExample = (x: AnyTensor): PerExample => trust(tf.zeros([examplesIn('zeroPerExample', x)]))

// -------------------------------------------------------------------------------------
// exponentials along one dimension
// -------------------------------------------------------------------------------------

/** The sum over an axis, which stays as a dimension of size 1. */
const keptSum = (x: tf.Tensor, axis: number): tf.Tensor => {
  const sum = sumOver(x, axis) ?? tf.sum(x, axis)
  return tf.reshape(sum, x.shape.with(axis, 1))
}

/** The maxima along an axis, as constants; 0 where they are infinite, because ∞ − ∞ is NaN. */
const peaks = (x: tf.Tensor, axis: number): tf.Tensor => {
  const max = tf.max(unwrap(stopGradient(trust<Dims>(x))), axis, true)
  return tf.where(tf.isFinite(max), max, tf.fill(max.shape, 0))
}

const keptLogSumExp = (x: tf.Tensor, axis: number): tf.Tensor => {
  const peak = peaks(x, axis)
  return tf.add(tf.log(keptSum(tf.exp(tf.sub(x, peak)), axis)), peak)
}

/**
 * log Σ eˣ over one dimension, counted from 0, the batch. It neither overflows nor loses small values; of nothing but −∞ it
 * is −∞.
 * @example T.logSumExp(1)(batch([2], [0, 0, 1000, 1000])) // [0.693, 1000.693]
 */
export const logSumExp = overAxis('logSumExp', (x, axis) =>
  tf.tidy(() => tf.reshape(keptLogSumExp(x, axis), x.shape.toSpliced(axis, 1))),
)

const alongAxis =
  <Op extends string>(name: Op, op: (x: tf.Tensor, axis: number) => tf.Tensor) =>
  <const Axis extends number>(axis: Axis) =>
  <S extends Dims>(x: Told<AxisRefusal<Op, S, Axis>> & Tensor<S>): Tensor<S> => {
    orThrow(shapes.axis(name, axis)(sizes(x)))
    return trust(tf.tidy(() => op(unwrap(x), axis)))
  }
/**
 * eˣ / Σ eˣ along one dimension, counted from 0, the batch
 * @example T.softmax(1)(batch([2], [0, 0, 0, 1])) // [0.5, 0.5, 0.269, 0.731]
 */
export const softmax = alongAxis('softmax', (x, axis) => {
  const e = tf.exp(tf.sub(x, peaks(x, axis)))
  return tf.div(e, keptSum(e, axis))
})
/**
 * The logarithm of {@link softmax}: x − log Σ eˣ along one dimension, counted from 0, the batch
 * @example T.logSoftmax(1)(batch([2], [0, 0, 0, 1])) // [-0.693, -0.693, -1.313, -0.313]
 */
export const logSoftmax = alongAxis('logSoftmax', (x, axis) => tf.sub(x, keptLogSumExp(x, axis)))
/**
 * The sums of all elements up to each one along one dimension, counted from 0, the batch
 * @example T.cumsum(1)(batch([2], [1, 2, 3, 4])) // [1, 3, 3, 7]
 */
export const cumsum = alongAxis('cumsum', (x, axis) => tf.cumsum(x, axis))
