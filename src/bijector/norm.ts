/**
 * Normalisation on the path of the flow, per channel, invertible with known statistics.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same, Shape } from '../../types/shape.js'
import { mixed, moments } from '../nn/statistics.js'
import { constant } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector, type Layer, layer } from './layer.js'

/** The old value where the statistics have been set, the fresh one where they have not. */
const once = (started: AnyTensor, old: AnyTensor, fresh: tf.Tensor): tf.Tensor =>
  tf.add(tf.mul(unwrap(started), unwrap(old)), tf.mul(tf.sub(1, unwrap(started)), fresh))
const started = (): AnyTensor => trust(tf.ones([1]))

/** One number per example: each channel's term counts once for each position. */
const perExample = (term: tf.Tensor, shape: Shape, like: tf.Tensor): PerExample =>
  trust(tf.mul(tf.ones([like.shape[0]!]), tf.mul(tf.sum(term), product(shape.slice(0, -1)))))

export interface BatchNormOptions {
  /** How much of the batch's statistics is mixed in at each step, 1 − ρ. Default .005 */
  readonly momentum?: number
  /** Added to the variance. Default 1e-5 */
  readonly epsilon?: number
}

/**
 * Running-average batch normalisation (Eqs. 18, 19; Dinh et al. 2016, Appendix E), without learned scale and shift.
 * Training mixes the batch's statistics into the running ones and normalises with the result, so that training and
 * evaluation use almost the same numbers; the gradient flows through the batch's part only. Variances are biased.
 * `start` takes those of the first batch, once, as ActNorm does: running ones of momentum m would need some 1/m steps to
 * come from 0 and 1, and what lies behind would be trained on numbers that are not normalised. Averaged parameters do
 * not go with the statistics that the last steps left: evaluate `state.params`, or average with a decay of 0 (the command's
 * `--average-decay 0`).
 *
 * - Statistics: μ ← ρμ + (1−ρ)μ̂, σ² ← ρσ² + (1−ρ)σ̂²
 * - Forward: y = (x − μ)/√(σ² + ε)
 * - Forward log-det: −½ Σ log(σ² + ε), each channel H·W times
 * - Inverse: x = y·√(σ² + ε) + μ
 * - Inverse log-det: ½ Σ log(σ² + ε)
 *
 * @example compose(input([2]), coupling(halves(), mlp()), batchNorm())
 */
export const batchNorm = ({ momentum = 0.005, epsilon = 1e-5 }: BatchNormOptions = {}): Layer<Same> =>
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
          const now = moments(unwrap(x))
          const [mean, variance] = [once(p.started, p.mean, now.mean), once(p.started, p.variance, now.variance)]
          const params = { mean: trust<Shape>(mean), variance: trust<Shape>(variance), started: started() }
          return [...normalise(unwrap(x), mean, variance), params]
        },
        train: (p, x) => {
          const now = moments(unwrap(x))
          const mean = mixed(momentum, unwrap(p.mean), now.mean)
          const variance = mixed(momentum, unwrap(p.variance), now.variance)
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
 * ActNorm (Kingma & Dhariwal 2018): a learned scale and shift for each channel. `start` sets them once so that the
 * first batch comes out with mean 0 and variance 1; that it has happened is a parameter, so it survives a checkpoint.
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
        const { mean, variance } = moments(unwrap(x))
        const shift = once(p.started, p.shift, tf.neg(mean))
        const logScale = once(p.started, p.logScale, tf.mul(tf.log(tf.add(variance, 1e-6)), -0.5))
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
