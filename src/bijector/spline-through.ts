/**
 * A fixed monotonic spline through points, such as the quantiles of data and those of the normal distribution.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { sumEvent } from '../tensor/ops.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, sizes, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { rationalQuadratic } from './transformers/spline.js'

/** A point that the spline goes through. */
export type Knot = readonly [x: number, y: number]

const slope = ([x0, y0]: Knot, [x1, y1]: Knot): number => (y1 - y0) / (x1 - x0)

/** The slopes at the knots: harmonic means of those beside them; at both ends that of the end piece. */
const slopesOf = (knots: readonly Knot[]): readonly number[] =>
  knots.map((knot, i) => {
    const [before, after] = [knots[i - 1], knots[i + 1]]
    if (before === undefined) return slope(knot, after!)
    if (after === undefined) return slope(before, knot)
    return 2 / (1 / slope(before, knot) + 1 / slope(knot, after))
  })

/**
 * A rational-quadratic spline through given points, the same for every element, and straight lines beyond the first and the
 * last. The slope at each point is the harmonic mean of the slopes beside it.
 *
 * - Forward: y = g(x)
 * - Forward log-det: Σ log g′(x)
 * - Inverse: x = g⁻¹(y)
 * - Inverse log-det: −Σ log g′(x)
 *
 * @throws DiffeoException, where it is put at a shape, if there are fewer than two points, or both coordinates do not
 * ascend
 * @example
 * // quartiles of incomes to those of the standard normal distribution
 * compose(input([1]), splineThrough([[900, -2], [2100, -0.67], [2900, 0], [4200, 0.67], [12000, 2]]), nsf())
 */
export const splineThrough = (knots: readonly Knot[]): Layer<Same> => {
  const isList = Array.isArray(knots) && knots.length >= 2
  const wrong = isList
    ? knots.findIndex((knot, i) => {
        const [x, y] = knot
        const [before, below] = knots[i - 1] ?? [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
        return !(Number.isFinite(x) && Number.isFinite(y) && x > before && y > below)
      })
    : -1
  return withOptions(
    'splineThrough',
    [
      ['at least two points', isList, Array.isArray(knots) ? knots.length : knots],
      ['points that ascend in both coordinates', wrong < 0, `[${knots?.[wrong]?.join(', ')}]`],
    ],
    () => {
      const slopes = slopesOf(knots)
      const pieces = knots.slice(1)
      const [first, last] = [knots[0]!, knots.at(-1)!]
      const row = (of: (i: number) => number): tf.Tensor => tf.tensor3d([[pieces.map((_, i) => of(i))]])
      const piecesOf = () => ({
        left: row((i) => knots[i]![0]),
        width: row((i) => knots[i + 1]![0] - knots[i]![0]),
        bottom: row((i) => knots[i]![1]),
        height: row((i) => knots[i + 1]![1] - knots[i]![1]),
        slopes: [row((i) => slopes[i]!), row((i) => slopes[i + 1]!)] as const,
      })
      const direction =
        (inverse: boolean) =>
        (_: object, value: AnyTensor): readonly [AnyTensor, PerExample] => {
          const size = product(sizes(value).slice(1))
          const all = tf.reshape(unwrap(value), [-1, size, 1])
          const axis = inverse ? 1 : 0
          const within = tf.clipByValue(all, first[axis], last[axis])
          const [other, logSlope] = rationalQuadratic(piecesOf(), inverse)(within)
          // beyond the ends the slope is that of the end, which the spline has there too
          const outer = tf.exp(inverse ? tf.neg(logSlope) : logSlope)
          const moved = tf.add(other, tf.mul(outer, tf.sub(all, within)))
          const logDets = trust(tf.reshape(inverse ? tf.neg(logSlope) : logSlope, [-1, size]))
          return [trust(tf.reshape(moved, [...sizes(value)])), sumEvent(logDets)]
        }
      return layer<Same>('splineThrough', (shape) =>
        E.right(
          bijector({
            name: 'splineThrough',
            domain: shape,
            codomain: shape,
            spec: {},
            forward: direction(false),
            inverse: direction(true),
          }),
        ),
      )
    },
  )
}
