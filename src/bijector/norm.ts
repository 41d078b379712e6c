/**
 * Normalisation of each channel as a bijector of the flow, invertible at given statistics.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same, Shape } from '../../types/shape.js'
import { DiffeoException, usageError } from '../error.js'
import { isSpread, mixed, moments, unitMoments } from '../nn/statistics.js'
import { firstNotFinite } from '../tensor/finite.js'
import { atLeastZero } from '../tensor/options.js'
import { constant } from '../tensor/params.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { isReadable } from '../tracing.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { perExample } from './per-example.js'

/** The old value where the statistics have been set, the fresh one where they have not. */
const once = (started: AnyTensor, old: AnyTensor, fresh: tf.Tensor): tf.Tensor =>
  tf.where(tf.greater(tf.mul(tf.onesLike(fresh), unwrap(started)), 0), unwrap(old), fresh)
const started = (): AnyTensor => trust(tf.ones([1]))

/** A first batch as one row for each position of each example. Refuses an empty batch and values that are not finite. */
const firstRows = (op: string, x: AnyTensor): tf.Tensor => {
  const batch = unwrap(x)
  const wrong =
    batch.size === 0 ? 'an empty one' : isReadable() ? firstNotFinite(batch.shape, batch.dataSync()) : undefined
  if (wrong !== undefined)
    throw new DiffeoException(
      usageError(op, 'a first batch of finite numbers', wrong, 'fix the data or the batch function'),
    )
  return batch.rank === 1 ? tf.expandDims(batch, 1) : batch
}

export interface BatchNormOptions {
  /** The weight of the batch's statistics at each step, 1 − ρ. Default: 0.005 */
  readonly momentum?: number
  /** Added to the variance, in the square of the data's unit. Default: 0. A batch without spread changes no variance */
  readonly epsilon?: number
}

/**
 * Running-average batch normalisation (Eqs. 18, 19; Dinh et al. 2016, Appendix E), without learned scale and shift.
 * Training mixes the batch's statistics into the running ones and normalises with the result, so that training and
 * evaluation use almost the same numbers. Only the batch's share has a gradient. Variances are biased.
 *
 * `start` sets the running statistics to those of the first batch, once; a channel without spread gets variance 1. From 0
 * and 1 they would need about 1/momentum steps to settle, and the layers behind would train on unnormalised numbers.
 *
 * Averaged parameters do not match the statistics of the last steps: evaluate `state.params`, or average with a decay
 * of 0 (`--average-decay 0` on the command line).
 *
 * - Statistics: μ ← ρμ + (1−ρ)μ̂, σ² ← ρσ² + (1−ρ)σ̂²
 * - Forward: y = (x − μ)/√(σ² + ε)
 * - Forward log-det: −½ Σ log(σ² + ε), each channel H·W times
 * - Inverse: x = y·√(σ² + ε) + μ
 * - Inverse log-det: ½ Σ log(σ² + ε)
 *
 * @example compose(input([2]), coupling(halves(), mlp()), batchNorm())
 */
export const batchNorm = ({ momentum = 0.005, epsilon = 0 }: BatchNormOptions = {}): Layer<Same> => {
  const options = [
    ['a momentum from 0 to 1', Number.isFinite(momentum) && momentum >= 0 && momentum <= 1, momentum] as const,
    atLeastZero('epsilon', epsilon),
  ]
  return withOptions('batchNorm', options, () => batchNormOf(momentum, epsilon))
}

const batchNormOf = (momentum: number, epsilon: number): Layer<Same> =>
  layer<Same>('batchNorm', (shape) => {
    const c = shape.at(-1) ?? 1
    const normalise = (x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor): readonly [AnyTensor, PerExample] => {
      const spread = tf.add(variance, epsilon)
      return [trust(tf.mul(tf.sub(x, mean), tf.rsqrt(spread))), perExample(tf.mul(tf.log(spread), -0.5), shape, x)]
    }
    return E.right(
      bijector({
        name: 'batchNorm',
        domain: shape,
        codomain: shape,
        spec: {
          mean: constant([c], 0, 'statistic'),
          variance: constant([c], 1, 'statistic'),
          started: constant([1], 0, 'statistic'),
        },
        forward: (p, x) => normalise(unwrap(x), unwrap(p.mean), unwrap(p.variance)),
        start: (p, x) => {
          const now = unitMoments(firstRows('batchNorm', x))
          const mean = once(p.started, p.mean, now.mean)
          const variance = once(p.started, p.variance, tf.square(now.deviation))
          const params = { mean: trust<Shape>(mean), variance: trust<Shape>(variance), started: started() }
          return [...normalise(unwrap(x), mean, variance), params]
        },
        train: (p, x) => {
          const now = moments(unwrap(x))
          const mean = mixed(momentum, unwrap(p.mean), now.mean)
          const fresh = tf.where(isSpread(now.mean, now.variance), now.variance, unwrap(p.variance))
          const variance = mixed(momentum, unwrap(p.variance), fresh)
          const params = { mean: trust<Shape>(mean), variance: trust<Shape>(variance), started: p.started }
          return [...normalise(unwrap(x), mean, variance), params]
        },
        inverse: (p, y) => {
          const spread = tf.add(unwrap(p.variance), epsilon)
          const x = tf.add(tf.mul(unwrap(y), tf.sqrt(spread)), unwrap(p.mean))
          return [trust(x), perExample(tf.mul(tf.log(spread), 0.5), shape, x)]
        },
      }),
    )
  })

/**
 * ActNorm (Kingma & Dhariwal 2018): a learned scale and shift for each channel. `start` sets them once so that the first
 * batch, in any unit, comes out with mean 0 and variance 1; a channel without spread gets scale 1. A parameter records
 * that this has happened, so checkpoints keep it.
 *
 * @throws DiffeoException, from `start`, for an empty batch, and for one with NaN or infinities if its numbers can be read
 * (inside `jit` they cannot: `startTraining` checks them before)
 *
 * - Forward: y = (x + b)·exp(s)
 * - Forward log-det: H·W·Σ s
 * - Inverse: x = y·exp(−s) − b
 * - Inverse log-det: −H·W·Σ s
 *
 * @example compose(input([32, 32, 3]), actNorm, squeeze)
 */
export const actNorm: Layer<Same> = layer<Same>('actNorm', (shape) => {
  const c = shape.at(-1) ?? 1
  const apply = (x: tf.Tensor, shift: tf.Tensor, logScale: tf.Tensor): readonly [AnyTensor, PerExample] => [
    trust(tf.mul(tf.add(x, shift), tf.exp(logScale))),
    perExample(logScale, shape, x),
  ]
  return E.right(
    bijector({
      name: 'actNorm',
      domain: shape,
      codomain: shape,
      spec: { shift: constant([c], 0), logScale: constant([c], 0), started: constant([1], 0, 'statistic') },
      forward: (p, x) => apply(unwrap(x), unwrap(p.shift), unwrap(p.logScale)),
      start: (p, x) => {
        const { mean, deviation } = unitMoments(firstRows('actNorm', x))
        const shift = once(p.started, p.shift, tf.neg(mean))
        const logScale = once(p.started, p.logScale, tf.neg(tf.log(deviation)))
        const params = { shift: trust<Shape>(shift), logScale: trust<Shape>(logScale), started: started() }
        return [...apply(unwrap(x), shift, logScale), params]
      },
      inverse: (p, y) => {
        const x = tf.sub(tf.mul(unwrap(y), tf.exp(tf.neg(unwrap(p.logScale)))), unwrap(p.shift))
        return [trust(x), perExample(tf.neg(unwrap(p.logScale)), shape, x)]
      },
    }),
  )
})
