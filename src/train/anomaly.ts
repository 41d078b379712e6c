/**
 * Anomalies by log-likelihood: a threshold at a rate of false alarms, the area under the ROC curve, and typicality.
 *
 * A flow can give outliers a high likelihood (Nalisnick et al. 2019, "Do Deep Generative Models Know What They Don't
 * Know?"): draws of a wide density lie where the density is neither highest nor lowest. Typicality (Nalisnick et al. 2019,
 * "Detecting Out-of-Distribution Inputs to Deep Generative Models Using Typicality") is therefore the distance of a
 * log-likelihood from its mean on held-out data, in either direction.
 *
 * @module
 */
import { DiffeoException, usageError } from '../error.js'

const requireSome = (op: string, what: string, values: ArrayLike<number>): void => {
  if (values.length === 0) throw new DiffeoException(usageError(op, `at least one ${what}`, 'none'))
}

/**
 * The value of an ascending list below which a share of it lies.
 *
 * @internal
 */
export const valueAtShare = (ascending: Float64Array, share: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))]!

/**
 * The log-likelihood below which a share of held-out examples lies. An example below it is an anomaly, with that rate of
 * false alarms.
 *
 * @param heldOut log-likelihoods of data that the flow was not trained on
 * @throws DiffeoException if there are none, or the rate is not between 0 and 1
 * @example anomalyThreshold([-3.1, -2.2, -9.5, -2.8], 0.25) // −3.1: one of four lies below
 */
export const anomalyThreshold = (heldOut: ArrayLike<number>, falseAlarms: number): number => {
  requireSome('anomalyThreshold', 'held-out log-likelihood', heldOut)
  if (!(falseAlarms > 0 && falseAlarms < 1))
    throw new DiffeoException(usageError('anomalyThreshold', 'a rate between 0 and 1', `${falseAlarms}`))
  return valueAtShare(Float64Array.from(heldOut).sort(), falseAlarms)
}

/**
 * The area under the ROC curve: the probability that a random anomaly scores higher than a random normal example. Ties count
 * half. 0.5 is no better than chance.
 *
 * @throws DiffeoException if one of the lists is empty
 * @example areaUnderRoc([3, 2.5, 4], [9, 2.9]) // of negative log-likelihoods: 4 of 6 pairs are in the right order
 */
export const areaUnderRoc = (normal: ArrayLike<number>, anomalies: ArrayLike<number>): number => {
  requireSome('areaUnderRoc', 'normal score', normal)
  requireSome('areaUnderRoc', 'score of an anomaly', anomalies)
  const all = [
    ...Array.from(normal, (score) => ({ score, isAnomaly: false })),
    ...Array.from(anomalies, (score) => ({ score, isAnomaly: true })),
  ].sort((a, b) => a.score - b.score)
  let [below, area] = [0, 0]
  for (let from = 0; from < all.length; ) {
    let to = from
    while (to < all.length && all[to]!.score === all[from]!.score) to++
    const tied = all.slice(from, to)
    const found = tied.filter(({ isAnomaly }) => isAnomaly).length
    area += found * (below + (tied.length - found) / 2)
    below += tied.length - found
    from = to
  }
  return area / (normal.length * anomalies.length)
}

/**
 * Scores of anomalies that a high likelihood does not hide: the distance of each log-likelihood from the mean of held-out
 * ones, in their standard deviations.
 *
 * @throws DiffeoException if there are fewer than two held-out log-likelihoods
 * @example typicality([-3.1, -2.2, -2.8], [-2.7, 4]) // the second is far too likely
 */
export const typicality = (heldOut: ArrayLike<number>, scores: ArrayLike<number>): Float32Array => {
  if (heldOut.length < 2)
    throw new DiffeoException(usageError('typicality', 'at least two held-out log-likelihoods', `${heldOut.length}`))
  const values = Array.from(heldOut)
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1))
  return Float32Array.from(scores, (score) => Math.abs(score - mean) / deviation)
}
