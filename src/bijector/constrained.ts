/**
 * Vectors with constraints between their elements: probabilities that add up to 1, and elements in ascending order. Each
 * layer acts on the last axis.
 *
 * Probabilities of D + 1 classes have D degrees of freedom. A point of the simplex is written as its first D
 * probabilities, and the last one is 1 − Σ y. Densities and log-dets are in these D coordinates, as that of a Dirichlet
 * distribution is. An inverse treats 0 as 2⁻¹²⁶ and a last probability below 2⁻²⁴ as that number. Elsewhere (Σ y > 1 by
 * more than rounding, or descending elements) the log-det is −∞.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { shapeError } from '../error.js'
import { add, sumEvent } from '../tensor/ops.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, sizes, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { softplusInverse, UNIT } from './pointwise.js'
import { clamp, type Interval, logInside, REALS, SMALLEST } from './support.js'

/** Rows [M, D] and what adds up to their log-dets, each with M rows. */
type OnVectors = (x: tf.Tensor) => readonly [value: tf.Tensor, logDets: readonly tf.Tensor[]]

const onLastAxis = (
  name: string,
  range: Interval,
  directionsOf: (size: number) => { readonly forward: OnVectors; readonly inverse: OnVectors },
): Layer<Same> =>
  layer<Same>(name, (shape) => {
    const size = shape.at(-1)
    if (size === undefined) return E.left(shapeError(name, 'at least one dimension', 'scalar'))
    const vectors = product(shape.slice(0, -1))
    const { forward, inverse } = directionsOf(size)
    const direction =
      (f: OnVectors) =>
      (_: object, x: AnyTensor): readonly [AnyTensor, PerExample] => {
        const [value, logDets] = f(tf.reshape(unwrap(x), [-1, size]))
        const sums = logDets.map((each) =>
          sumEvent(trust(tf.reshape(each, [sizes(x)[0]!, vectors * (each.shape[1] ?? 1)]))),
        )
        return [trust(tf.reshape(value, [...sizes(x)])), sums.reduce((sum, each) => add(each)(sum))]
      }
    return E.right(
      bijector({
        name,
        domain: shape,
        codomain: shape,
        range,
        spec: {},
        forward: direction(forward),
        inverse: direction(inverse),
      }),
    )
  })

const within = (interval: Interval, x: tf.Tensor): tf.Tensor => unwrap(clamp(interval, trust(x)))
const inside = (interval: Interval, x: tf.Tensor): tf.Tensor => unwrap(logInside(interval, trust(x)))

/** log y, the logarithm of what is left of 1 after each element, and 0 or −∞ for each example, if too little is left. */
const logParts = (y: tf.Tensor) => {
  const left = tf.sub(1, tf.cumsum(y, 1))
  return {
    logY: tf.log(within([SMALLEST, 1], y)),
    logLeft: tf.log(within([2 ** -24, 1], left)),
    check: inside([-(2 ** -20), 1], left),
  }
}
const lastOf = (x: tf.Tensor, size: number): tf.Tensor => tf.slice(x, [0, size - 1], [x.shape[0]!, 1])

/**
 * Softmax with a last logit of 0 (`SoftmaxCentered` of TensorFlow Probability): ℝᴰ to the simplex of D + 1 classes, whose
 * first D probabilities it returns. With m = log(1 + Σ eˣ):
 *
 * - Forward: yᵢ = exp(xᵢ − m)
 * - Forward log-det: Σ xᵢ − (D + 1)m, the sum of the logarithms of all D + 1 probabilities
 * - Inverse: xᵢ = log yᵢ − log(1 − Σ y)
 * - Inverse log-det: −Σ log yᵢ − log(1 − Σ y)
 *
 * @example compose(input([2]), reverse(softmaxCentered), affine) // shares of three parties to ℝ²
 */
export const softmaxCentered: Layer<Same> = onLastAxis('softmaxCentered', UNIT, (size) => ({
  forward: (x) => {
    const padded = tf.pad(x, [
      [0, 0],
      [0, 1],
    ])
    const m = tf.logSumExp(padded, 1, true)
    const logY = tf.sub(x, m)
    return [tf.exp(logY), [logY, tf.neg(m)]]
  },
  inverse: (y) => {
    const { logY, logLeft, check } = logParts(y)
    const logLast = lastOf(logLeft, size)
    return [tf.sub(logY, logLast), [tf.neg(logY), tf.neg(logLast), check]]
  },
}))

/**
 * Stick breaking: ℝᴰ to the simplex of D + 1 classes, whose first D probabilities it returns. Each takes a share of what
 * those before it have left. Shifts by log(D + 1 − i) make x = 0 the uniform distribution. With rᵢ = 1 − y₁ − … − yᵢ:
 *
 * - Forward: yᵢ = rᵢ₋₁·σ(xᵢ − log(D + 1 − i))
 * - Forward log-det: Σ log yᵢ + log(1 − Σ y)
 * - Inverse: xᵢ = log yᵢ − log rᵢ + log(D + 1 − i)
 * - Inverse log-det: −Σ log yᵢ − log(1 − Σ y)
 *
 * @example compose(input([2]), reverse(stickBreaking), affine)
 */
export const stickBreaking: Layer<Same> = onLastAxis('stickBreaking', UNIT, (size) => {
  const shifts = (): tf.Tensor => tf.tensor1d(Array.from({ length: size }, (_, i) => Math.log(size - i)))
  return {
    forward: (x) => {
      const u = tf.sub(x, shifts())
      const logKept = tf.neg(tf.softplus(u))
      const logY = tf.sub(tf.cumsum(logKept, 1, true), tf.softplus(tf.neg(u)))
      return [tf.exp(logY), [logY, tf.sum(logKept, 1, true)]]
    },
    inverse: (y) => {
      const { logY, logLeft, check } = logParts(y)
      return [tf.add(tf.sub(logY, logLeft), shifts()), [tf.neg(logY), tf.neg(lastOf(logLeft, size)), check]]
    },
  }
})

/**
 * Vectors whose elements ascend: the first element is free, and each other one is above the one before it. The inverse
 * takes differences, so gaps below the rounding of the elements lose digits.
 *
 * - Forward: y₁ = x₁, yᵢ = yᵢ₋₁ + log(1 + e^xᵢ)
 * - Forward log-det: −Σ log(1 + e^−xᵢ), i from 2
 * - Inverse: x₁ = y₁, xᵢ = d + log(1 − e⁻ᵈ), d = yᵢ − yᵢ₋₁
 * - Inverse log-det: Σ log(1 + e^−xᵢ), i from 2
 *
 * @example compose(input([3]), affine, ascending) // cut points
 */
export const ascending: Layer<Same> = onLastAxis('ascending', REALS, (size) => {
  const isLater = (): tf.Tensor => tf.tensor1d(Array.from({ length: size }, (_, i) => (i === 0 ? 0 : 1)))
  /** The first element, and a function of the others. */
  const afterFirst = (x: tf.Tensor, f: (x: tf.Tensor) => tf.Tensor): tf.Tensor =>
    tf.add(tf.mul(x, tf.sub(1, isLater())), tf.mul(f(x), isLater()))
  const logSlopes = (x: tf.Tensor): tf.Tensor => tf.mul(tf.softplus(tf.neg(x)), isLater())
  return {
    forward: (x) => [tf.cumsum(afterFirst(x, tf.softplus), 1), [tf.neg(logSlopes(x))]],
    inverse: (y) => {
      if (size < 2) return [y, [tf.zerosLike(y)]]
      const places = (from: number, count: number): tf.Tensor => tf.slice(y, [0, from], [y.shape[0]!, count])
      const gaps = tf.sub(places(1, size - 1), places(0, size - 1))
      const inner = unwrap(softplusInverse(trust(gaps)))
      const x = tf.concat([places(0, 1), inner], 1)
      return [x, [logSlopes(x), inside([0, Number.POSITIVE_INFINITY], gaps)]]
    },
  }
})
