/**
 * Densities that need no training by gradients, to compare a flow with: a Gaussian, a mixture of Gaussians by
 * expectation-maximisation, and a kernel density estimate with Scott's bandwidth.
 *
 * @module
 */
import { type Key, permutation } from '../tensor/random.js'

/** Rows of numbers of one width. */
export interface Points {
  readonly values: ArrayLike<number>
  readonly width: number
}

const LOG_TWO_PI = Math.log(2 * Math.PI)
/** What is added to variances of standardised columns, so that no component collapses onto a point. */
const LEAST_VARIANCE = 1e-3

const countOf = ({ values, width }: Points): number => values.length / width

/** A Gaussian by its mean and the Cholesky factor of its covariance. */
interface Gaussian {
  readonly mean: Float64Array
  /** Row after row, the lower triangle. */
  readonly factor: Float64Array
}

const cholesky = (covariance: Float64Array, width: number): Float64Array => {
  const factor = new Float64Array(width * width)
  for (let i = 0; i < width; i++)
    for (let j = 0; j <= i; j++) {
      let sum = covariance[i * width + j]!
      for (let k = 0; k < j; k++) sum -= factor[i * width + k]! * factor[j * width + k]!
      factor[i * width + j] = i === j ? Math.sqrt(Math.max(LEAST_VARIANCE, sum)) : sum / factor[j * width + j]!
    }
  return factor
}

/** The Gaussian of weighted rows. */
const fitted = ({ values, width }: Points, weights: Float64Array): Gaussian => {
  const total = weights.reduce((a, b) => a + b, 0)
  const mean = new Float64Array(width)
  const covariance = new Float64Array(width * width)
  for (let row = 0; row < weights.length; row++)
    for (let i = 0; i < width; i++) mean[i]! += (weights[row]! * values[row * width + i]!) / total
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row]! / total
    if (weight === 0) continue
    for (let i = 0; i < width; i++) {
      const di = weight * (values[row * width + i]! - mean[i]!)
      for (let j = 0; j <= i; j++) covariance[i * width + j]! += di * (values[row * width + j]! - mean[j]!)
    }
  }
  for (let i = 0; i < width; i++) covariance[i * width + i]! += LEAST_VARIANCE
  return { mean, factor: cholesky(covariance, width) }
}

const logDensity = ({ mean, factor }: Gaussian, { values, width }: Points, row: number): number => {
  const z = new Float64Array(width)
  let sum = 0
  for (let i = 0; i < width; i++) {
    let rest = values[row * width + i]! - mean[i]!
    for (let j = 0; j < i; j++) rest -= factor[i * width + j]! * z[j]!
    z[i] = rest / factor[i * width + i]!
    sum += z[i]! ** 2 / 2 + Math.log(factor[i * width + i]!)
  }
  return -sum - (width * LOG_TWO_PI) / 2
}

const logSumExp = (values: ArrayLike<number>): number => {
  const top = Math.max(...Array.from(values))
  return top === Number.NEGATIVE_INFINITY
    ? top
    : top + Math.log(Array.from(values, (value) => Math.exp(value - top)).reduce((a, b) => a + b, 0))
}

type LogDensity = (points: Points) => Float64Array

const each = (points: Points, of: (row: number) => number): Float64Array =>
  Float64Array.from({ length: countOf(points) }, (_, row) => of(row))

/** The Gaussian with the mean and the covariance of the rows. */
export const gaussianOf = (points: Points): LogDensity => {
  const gaussian = fitted(points, new Float64Array(countOf(points)).fill(1))
  return (test) => each(test, (row) => logDensity(gaussian, test, row))
}

const ROUNDS = 30

/** A mixture of Gaussians with full covariances: expectation-maximisation from random rows. */
export const gaussianMixtureOf = (points: Points, components: number, key: Key): LogDensity => {
  const { values, width } = points
  const count = countOf(points)
  const whole = fitted(points, new Float64Array(count).fill(1))
  const starts = permutation(key, count).slice(0, components)
  let parts: readonly { readonly weight: number; readonly gaussian: Gaussian }[] = Array.from(starts, (row) => ({
    weight: 1 / starts.length,
    gaussian: { ...whole, mean: Float64Array.from({ length: width }, (_, i) => values[row * width + i]!) },
  }))
  const logsAt = (of: Points, row: number): number[] =>
    parts.map(({ weight, gaussian }) => Math.log(weight) + logDensity(gaussian, of, row))
  for (let round = 0; round < ROUNDS; round++) {
    const shares = parts.map(() => new Float64Array(count))
    for (let row = 0; row < count; row++) {
      const logs = logsAt(points, row)
      const total = logSumExp(logs)
      logs.forEach((log, k) => {
        shares[k]![row] = Math.exp(log - total)
      })
    }
    parts = shares.flatMap((share) => {
      const weight = share.reduce((a, b) => a + b, 0) / count
      return weight * count < 2 ? [] : [{ weight, gaussian: fitted(points, share) }]
    })
  }
  return (test) => each(test, (row) => logSumExp(logsAt(test, row)))
}

/** A kernel density estimate: Gaussian kernels with the covariance of the rows times Scott's factor n^(−1/(D + 4)). */
export const kernelDensityOf = (points: Points): LogDensity => {
  const { values, width } = points
  const count = countOf(points)
  const { factor } = fitted(points, new Float64Array(count).fill(1))
  const scott = count ** (-1 / (width + 4))
  const scaled = factor.map((value) => value * scott)
  return (test) =>
    each(test, (row) => {
      const logs = new Float64Array(count)
      for (let k = 0; k < count; k++) {
        const mean = Float64Array.from({ length: width }, (_, i) => values[k * width + i]!)
        logs[k] = logDensity({ mean, factor: scaled }, test, row)
      }
      let top = Number.NEGATIVE_INFINITY
      for (const log of logs) if (log > top) top = log
      let sum = 0
      for (const log of logs) sum += Math.exp(log - top)
      return top + Math.log(sum / count)
    })
}
