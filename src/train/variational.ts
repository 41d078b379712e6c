/**
 * Variational inference: a flow q is fitted to a density p̃(x) that is known up to a factor Z = ∫ p̃(x) dx, such as a
 * posterior's likelihood × prior. Draws x = f⁻¹(z) carry gradients, so nothing but log p̃ is needed.
 *
 *   reverseKl            E_q[log q(x) − log p̃(x)] = KL(q ‖ p) − log Z = −ELBO
 *   importanceWeighted   −E[log (1/K) Σₖ p̃(xₖ)/q(xₖ)]; equals reverseKl for K = 1, and falls to −log Z (Burda et al. 2016)
 *
 * The batch is the noise of the draws: `draw(key, n)` makes one.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../types/shape.js'
import { drawNoise } from '../distribution/base.js'
import type { Flow } from '../distribution/flow.js'
import { DiffeoException } from '../error.js'
import { jit } from '../jit.js'
import { checkParams } from '../tensor/check-params.js'
import { sub, tidy } from '../tensor/ops.js'
import { count, wrongOption } from '../tensor/options.js'
import type { Params } from '../tensor/params.js'
import { foldIn, type Key } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import type { Objective } from './objective.js'

/** The random numbers of a batch of draws. */
export type NoiseBatch = readonly AnyTensor[]

/** An objective whose batches are draws from the flow itself. */
export interface Variational extends Objective<NoiseBatch> {
  /**
   * The batch of a step: a pure function of a key.
   *
   * @throws DiffeoException if `n` is not a whole number from 0
   */
  readonly draw: (key: Key, n: number) => NoiseBatch
}

/** log p̃(x), in nats, one number per example. */
export type LogDensity<A extends Shape> = (x: BatchOf<A>) => PerExample

/** log p̃(x) − log q(x) at the draws of a batch of noise. */
const logWeights =
  <A extends Shape, B extends Latents>(flow: Flow<A, B>, logDensity: LogDensity<A>) =>
  (params: Params) =>
  (noise: NoiseBatch): PerExample => {
    const [x, logQ] = flow.make(params)(noise)
    return sub(logQ)(logDensity(x))
  }

/**
 * The reverse Kullback–Leibler divergence, up to log Z: its mean is −ELBO, at least −log Z. It seeks modes: q avoids what
 * p̃ excludes, and may miss modes.
 *
 * @example
 * const elbo = reverseKl(moons, (x) => T.neg(T.sumEvent(T.square(x))))
 * const batch = (step: number) => elbo.draw(foldIn(key(1), step), 256)
 * const start = await startTraining(elbo, adam(), key(0), batch(0))
 * for await (const event of fit(elbo, start, { optimiser: adam(), learningRate: constantRate(1e-3), batch, steps: 1000 }))
 *   if (event._tag === 'Stepped') console.log('ELBO', -event.loss)
 */
export const reverseKl = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  logDensity: LogDensity<A>,
): Variational => importanceWeighted(flow, logDensity, 1)

/**
 * The importance-weighted bound of `k` draws for each example (Burda et al. 2016): tighter than {@link reverseKl}, at `k`
 * times the cost. A batch of `n` examples takes n·k draws.
 *
 * @throws DiffeoException if `k` is not a whole number of at least 1
 * @example const bound = importanceWeighted(moons, (x) => T.neg(T.sumEvent(T.square(x))), 8)
 */
export const importanceWeighted = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  logDensity: LogDensity<A>,
  k: number,
): Variational => {
  const wrong = wrongOption('importanceWeighted', [count('draws for each example', k)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  const weights = logWeights(flow, logDensity)
  const bound = (logW: PerExample): PerExample => {
    if (k === 1) return trust(tf.neg(unwrap(logW)))
    const groups = tf.reshape(unwrap(logW), [-1, k])
    return trust(tf.sub(Math.log(k), tf.logSumExp(groups, 1)))
  }
  return {
    kind: 'loss',
    name: k === 1 ? 'negative ELBO' : `negative importance-weighted bound of ${k} draws`,
    spec: flow.spec,
    init: flow.init,
    loss: (params) => (noise) => tidy(() => [bound(weights(params)(noise)), params] as const),
    dimensions: product(flow.bijector.domain),
    draw: (key, n) => drawNoise(flow.base, flow.bijector.codomain, key, n * k),
  }
}

/** How well a flow fits an unnormalised density, in nats. */
export interface VariationalEvaluation {
  /** The mean of log p̃(x) − log q(x) over draws of q: at most log Z. */
  readonly elbo: number
  /** The standard error of `elbo`. */
  readonly elboError: number
  /** The importance-weighted estimate of log Z = log ∫ p̃(x) dx. */
  readonly logZ: number
  /** (Σ w)²/Σ w²: how many independent draws of p the weighted draws are worth. */
  readonly effectiveSamples: number
  /**
   * The shape k̂ of the generalised Pareto distribution of the largest weights (Vehtari et al. 2024). Above 0.7, estimates by
   * these weights are not reliable.
   */
  readonly paretoK: number
  readonly draws: number
  /** A sentence, where the figures are not to be trusted. */
  readonly warning?: string
}

/** The largest k̂ at which importance weights are reliable. */
const RELIABLE = 0.7

const logSumExp = (values: ArrayLike<number>): number => {
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]!)
  if (!Number.isFinite(most)) return most
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - most)
  return most + Math.log(sum)
}

/**
 * The shape k̂ of a generalised Pareto distribution fitted to exceedances, sorted upwards, by the profile of Zhang and
 * Stephens (2009), with the weak prior of Vehtari et al. (2024, appendix C).
 */
const paretoShape = (exceedances: readonly number[]): number => {
  const n = exceedances.length
  const [most, quartile] = [exceedances[n - 1]!, exceedances[Math.floor(n / 4 + 0.5) - 1]!]
  if (!(quartile > 0)) return Number.NEGATIVE_INFINITY
  const grid = 30 + Math.floor(Math.sqrt(n))
  const thetas = Array.from({ length: grid }, (_, j) => 1 / most + (1 - Math.sqrt(grid / (j + 0.5))) / (3 * quartile))
  const shapeAt = (theta: number): number => exceedances.reduce((sum, x) => sum + Math.log1p(-theta * x), 0) / n
  const profile = thetas.map((theta) => {
    const k = shapeAt(theta)
    return n * (Math.log(-theta / k) - k - 1)
  })
  const total = logSumExp(profile)
  const theta = thetas.reduce((sum, t, j) => sum + t * Math.exp(profile[j]! - total), 0)
  return (shapeAt(theta) * n + 10 * 0.5) / (n + 10)
}

/**
 * The k̂ of importance weights, given by their logarithms. NaN for fewer than 25 weights.
 *
 * @example paretoK([0, 0.1, -0.3]) // NaN: too few
 */
export const paretoK = (logWeights: ArrayLike<number>): number => {
  const sorted = Float64Array.from(logWeights).sort()
  const n = sorted.length
  const tail = Math.min(Math.floor(n / 5), Math.ceil(3 * Math.sqrt(n)))
  if (tail < 5 || !Number.isFinite(sorted[n - 1]!)) return Number.NaN
  const most = sorted[n - 1]!
  const cutoff = Math.exp(sorted[n - tail - 1]! - most)
  const exceedances = Array.from(sorted.subarray(n - tail), (w) => Math.exp(w - most) - cutoff)
  return exceedances.some((x) => x > 0) ? paretoShape(exceedances) : Number.NEGATIVE_INFINITY
}

/** How many draws are made at a time. */
const BATCH = 10_000

/**
 * ELBO, log Z, effective sample size and k̂ of a flow that was fitted to an unnormalised density, from fresh draws.
 *
 * @throws DiffeoException (as a rejection) if there are no draws
 * @example
 * const { elbo, logZ, paretoK, warning } = await evaluateVariational(
 *   moons, (x) => T.neg(T.sumEvent(T.square(x))), params, key(9), 10_000,
 * )
 */
export const evaluateVariational = async <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  logDensity: LogDensity<A>,
  params: Params,
  key: Key,
  draws: number,
): Promise<VariationalEvaluation> => {
  const wrong = wrongOption('evaluateVariational', [count('draws', draws)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  checkParams('evaluateVariational', flow.spec, params)
  const weigh = jit((p: Params, noise: NoiseBatch) => logWeights(flow, logDensity)(p)(noise), { steady: 1 })
  const all = new Float64Array(draws)
  try {
    for (let done = 0, batch = 0; done < draws; batch++) {
      const n = Math.min(BATCH, draws - done)
      const noise = drawNoise(flow.base, flow.bijector.codomain, foldIn(key, batch), n)
      const logW = unwrap(await weigh(params, noise).finally(() => tf.dispose(noise.map(unwrap))))
      all.set(await logW.data(), done)
      logW.dispose()
      done += n
    }
  } finally {
    await weigh.dispose()
  }
  const elbo = all.reduce((a, b) => a + b, 0) / draws
  const variance = all.reduce((sum, w) => sum + (w - elbo) ** 2, 0) / Math.max(1, draws - 1)
  const total = logSumExp(all)
  const k = paretoK(all)
  const figures = {
    elbo,
    elboError: Math.sqrt(variance / draws),
    logZ: total - Math.log(draws),
    effectiveSamples: Math.exp(2 * total - logSumExp(all.map((w) => 2 * w))),
    paretoK: k,
    draws,
  }
  return k <= RELIABLE ? figures : { ...figures, warning: warningOf(k, draws) }
}

const warningOf = (k: number, draws: number): string =>
  Number.isNaN(k)
    ? `evaluateVariational: expected at least 25 finite weights to judge them, got ${draws} draws; make more draws`
    : `evaluateVariational: expected weights with k̂ of at most ${RELIABLE}, got ${k.toFixed(2)}; ` +
      'log Z is not reliable: train longer, or take a more flexible flow or a base with heavier tails'
