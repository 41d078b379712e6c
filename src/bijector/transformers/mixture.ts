/**
 * Mixtures of logistics (Ho et al. 2019, "Flow++", Eqs. 11–12): the logit of the CDF of a mixture of K logistic
 * distributions, computed from logarithms of the CDF and of one minus the CDF, so that tails stay finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count } from '../../tensor/options.js'
import type { Rising } from '../../tensor/root.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { bounded, type Each, piece, type Row, risingDirections } from './rows.js'

/** v = logit Σ πₖσ(uₖ), uₖ = (x − μₖ)/sₖ, for rows of log π, μ and log s; and the bracket of x at a given v. */
interface LogisticMixture {
  readonly logit: Rising
  readonly bracket: (v: Each) => readonly [low: Each, high: Each]
}

/** @internal */
export const logisticMixture = (logWeight: Row, mean: Row, logScale: Row): LogisticMixture => {
  const total = (logs: Row): Each => tf.logSumExp(logs, 2, true)
  return {
    logit: (x) => {
      const u = tf.mul(tf.sub(x, mean), tf.exp(tf.neg(logScale)))
      const [logBelow, logAbove] = [tf.neg(tf.softplus(tf.neg(u))), tf.neg(tf.softplus(u))]
      const [below, above] = [total(tf.add(logWeight, logBelow)), total(tf.add(logWeight, logAbove))]
      const logDensity = (): Each => total(tf.sub(tf.add(logWeight, tf.add(logBelow, logAbove)), logScale))
      return [tf.sub(below, above), () => tf.sub(logDensity(), tf.add(below, above))]
    },
    // the CDF of a mixture is between those of its components, each of which has v at μ + sv
    bracket: (v) => {
      const each = tf.add(mean, tf.mul(tf.exp(logScale), v))
      return [tf.min(each, 2, true), tf.max(each, 2, true)]
    },
  }
}

/** The means of the components at θ = 0, evenly spaced from −1 to 1, and their scale: the mixture has the variance of σ. */
const startOf = (components: number): { readonly means: readonly number[]; readonly scale: number } => {
  const means = Array.from({ length: components }, (_, k) => (2 * k + 1 - components) / Math.max(1, components - 1))
  const variance = means.reduce((sum, mean) => sum + mean ** 2, 0) / components
  return { means, scale: Math.sqrt(1 - (3 * variance) / Math.PI ** 2) }
}

/**
 * log π, μ and log s of 3K numbers for each variable. Zeros are a mixture that is nearly σ: equal components would be σ, but
 * get equal gradients and stay equal.
 *
 * @internal
 */
export const componentsOf = (rows: Row, components: number): readonly [logWeight: Row, mean: Row, logScale: Row] => {
  const { means, scale } = startOf(components)
  return [
    tf.logSoftmax(piece(rows, 0, components)),
    tf.add(piece(rows, components, components), tf.tensor1d([...means])),
    tf.add(bounded(piece(rows, 2 * components, components)), Math.log(scale)),
  ]
}

export interface MixtureOptions {
  /** K, the number of logistic distributions. Default: 4 */
  readonly components?: number
}

/**
 * Mixtures of K logistics. It takes 3K + 2 numbers for each variable: π = softmax, μ, log s, a and b. At θ = 0 it is close
 * to the identity, not equal to it: π = 1/K, μ is evenly spaced from −1 to 1, and s such that the mixture has the variance
 * of a standard logistic variable. For K = 4 that is within 0.06 of the identity on [−3, 3], for K = 1 it is the identity.
 * Numbers move log s and a by ±2 at most.
 *
 * The inverse is a root between the quantiles of the components, found by 16 halvings and two steps of Newton's method.
 * Its values have an error of a few roundings of y over the slope; slopes are small between components that are far
 * apart. Memory: O(K) for each variable.
 *
 * - Forward: y = v·exp(a) + b, v = logit F(x), F(x) = Σₖ πₖσ((x − μₖ)/sₖ)
 * - Forward log-det: Σ log F′(x) − log F(x) − log(1 − F(x)) + a
 * - Inverse: x = F⁻¹(σ((y − b)·exp(−a)))
 * - Inverse log-det: −Σ log F′(x) − log F(x) − log(1 − F(x)) + a
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.mixture({ components: 8 }))())
 */
export const mixture = ({ components = 4 }: MixtureOptions = {}): Transformer =>
  rowTransformer('mixture', [count('components', components)], 3 * components + 2, (rows) => {
    const { logit, bracket } = logisticMixture(...componentsOf(rows, components))
    const logFactor = bounded(piece(rows, 3 * components, 1))
    const shift = piece(rows, 3 * components + 1, 1)
    const f: Rising = (x) => {
      const [v, logSlope] = logit(x)
      return [tf.add(tf.mul(v, tf.exp(logFactor)), shift), () => tf.add(logSlope(), logFactor)]
    }
    return risingDirections(f, (y) => bracket(tf.mul(tf.sub(y, shift), tf.exp(tf.neg(logFactor)))))
  })
