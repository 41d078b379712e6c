/**
 * Priors of parameters. A bounded one gives the posterior its support: no draw lies outside, and no density leaks.
 *
 * @module
 */
import type { Same, SameVector } from '../../types/shape.js'
import { exp, scaleBy } from '../bijector/activations.js'
import { columns } from '../bijector/columns.js'
import { compose } from '../bijector/compose.js'
import { logit } from '../bijector/elementwise.js'
import type { Layer } from '../bijector/layer.js'
import { reverse } from '../bijector/reverse.js'
import { standardise } from '../bijector/standardise.js'
import type { Interval } from '../bijector/support.js'
import { DiffeoException, usageError } from '../error.js'
import { type Key, normalArray, uniformArray } from '../tensor/random.js'

/** A distribution of parameters. */
export interface Prior {
  /** The number of parameters. */
  readonly size: number
  /** `n` draws, row after row. */
  readonly sample: (key: Key, n: number) => Float32Array
  /** The interval of each parameter; its ends may be infinite. */
  readonly support: readonly Interval[]
  /** The mean and the standard deviation of each parameter, if its interval is infinite. */
  readonly scale: readonly (readonly [mean: number, deviation: number])[]
}

const requireLists = (
  op: string,
  names: readonly [string, string],
  a: readonly number[],
  b: readonly number[],
): void => {
  if (a.length > 0 && a.length === b.length) return
  throw new DiffeoException(
    usageError(op, `as many numbers in ${names[0]} as in ${names[1]}, at least one`, `${a.length} and ${b.length}`),
  )
}

/**
 * Independent uniform parameters between bounds.
 *
 * @throws DiffeoException if the lists differ in length, or a low is not below its high
 * @example boxPrior([-1, -1], [1, 1])
 */
export const boxPrior = (low: readonly number[], high: readonly number[]): Prior => {
  requireLists('boxPrior', ['low', 'high'], low, high)
  const wrong = low.findIndex((from, i) => !(Number.isFinite(from) && Number.isFinite(high[i]) && from < high[i]!))
  if (wrong >= 0)
    throw new DiffeoException(usageError('boxPrior', 'every low below its high', `${low[wrong]} and ${high[wrong]}`))
  const size = low.length
  return {
    size,
    sample: (key, n) =>
      uniformArray(key, n * size).map((u, i) => low[i % size]! + u * (high[i % size]! - low[i % size]!)),
    support: low.map((from, i) => [from, high[i]!]),
    scale: low.map((from, i) => [(from + high[i]!) / 2, (high[i]! - from) / Math.sqrt(12)]),
  }
}

/**
 * Independent normal parameters.
 *
 * @throws DiffeoException if the lists differ in length, or a deviation is not above 0
 * @example normalPrior([0, 2], [1, 0.5])
 */
export const normalPrior = (mean: readonly number[], deviation: readonly number[]): Prior => {
  requireLists('normalPrior', ['mean', 'deviation'], mean, deviation)
  const wrong = deviation.find((s) => !(s > 0 && Number.isFinite(s)))
  if (wrong !== undefined) throw new DiffeoException(usageError('normalPrior', 'deviations above 0', `${wrong}`))
  const size = mean.length
  return {
    size,
    sample: (key, n) => normalArray(key, n * size).map((z, i) => mean[i % size]! + z * deviation[i % size]!),
    support: mean.map(() => [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]),
    scale: mean.map((m, i) => [m, deviation[i]!]),
  }
}

/** The standard deviation of a standard logistic variable, which the logit of a uniform one is. */
const LOGISTIC = Math.PI / Math.sqrt(3)

/** From parameters in the prior's support to numbers around 0. */
export const ontoReals = ({ support, scale }: Prior): Layer<SameVector> => {
  const layers = support.map(([low, high], i): Layer<Same> => {
    const [mean, deviation] = scale[i]!
    if (Number.isFinite(low) !== Number.isFinite(high)) {
      // the logarithm of the distance from the one end
      const away = Number.isFinite(low)
        ? [standardise({ mean: low, deviation: 1 })]
        : [standardise({ mean: high, deviation: 1 }), scaleBy(-1)]
      return compose(...(away as [Layer<Same>]), reverse(exp)) as Layer<Same>
    }
    return Number.isFinite(low)
      ? (compose(
          standardise({ mean: low, deviation: high - low }),
          logit({ alpha: 0, bins: 1 }),
          standardise({ mean: 0, deviation: LOGISTIC }),
        ) as Layer<Same>)
      : standardise({ mean, deviation })
  })
  return columns(Object.fromEntries(layers.map((layer, i) => [`p${i}`, layer])))
}
