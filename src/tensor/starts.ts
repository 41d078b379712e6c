/**
 * The values at which parameters start, as arrays: pure functions of a start, a key and a shape.
 *
 * @module
 */
import type { Shape } from '../../types/shape.js'
import { DiffeoException, shapeError } from '../error.js'
import { type Key, normalArray } from './random.js'
import { product, show } from './shape.js'

/**
 * How a parameter starts. Plain data, but for a function of a key.
 *
 * - `constant`: every value
 * - `normal`: the standard deviation of normal noise
 * - `identity`: the identity matrix
 * - `orthogonal`: the factor of a random orthogonal matrix
 * - `fromKey`: a function of a key and the number of values
 */
export type ParamStart =
  | { readonly constant: number }
  | { readonly normal: number }
  | { readonly identity: true }
  | { readonly orthogonal: number }
  | { readonly fromKey: (key: Key, size: number) => ArrayLike<number> }

/** Ones on the diagonal of the last two axes, in the middle of the axes before them: the kernel that changes nothing. */
export const identityArray = (shape: Shape): Float32Array => {
  const [outer, [rows, columns]] = [shape.slice(0, -2), shape.slice(-2) as [number, number]]
  const middle = outer.reduce((at, n) => at * n + Math.floor((n - 1) / 2), 0)
  const values = new Float32Array(product(shape))
  for (let i = 0; i < Math.min(rows, columns); i++) values[(middle * rows + i) * columns + i] = 1
  return values
}

const squaredLength = (v: Float64Array): number => v.reduce((sum, e) => sum + e * e, 0)

/**
 * A matrix with orthonormal columns, or rows where there are fewer of them, uniform among all such: a product of
 * reflections, each of which takes one axis to the direction of a normal vector of one dimension more than the last.
 *
 * Source: Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980).
 */
export const orthogonalArray = (key: Key, rows: number, columns: number): Float32Array => {
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)]
  const normals = normalArray(key, (short * (2 * long - short + 1)) / 2)
  const q = new Float64Array(long * short) // by columns
  let read = normals.length
  for (let k = short - 1; k >= 0; k--) {
    const v = Float64Array.from(normals.subarray(read - (long - k), read))
    read -= long - k
    const sign = v[0]! < 0 ? -1 : 1
    v[0]! += sign * Math.sqrt(squaredLength(v))
    const squared = squaredLength(v)
    // so that the column points along the normal vector, not against it
    q[k * long + k] = -sign
    for (let column = k; column < short; column++) {
      const at = column * long + k
      let along = 0
      for (let i = 0; i < v.length; i++) along += v[i]! * q[at + i]!
      const factor = squared === 0 ? 0 : (2 * along) / squared
      for (let i = 0; i < v.length; i++) q[at + i]! -= factor * v[i]!
    }
  }
  const out = new Float32Array(rows * columns)
  for (let i = 0; i < long; i++)
    for (let j = 0; j < short; j++) out[rows >= columns ? i * columns + j : j * columns + i] = q[j * long + i]!
  return out
}

/** The values of a start that is drawn. */
export const drawnArray = (
  start: Exclude<ParamStart, { readonly constant: number } | { readonly identity: true }>,
  key: Key,
  shape: Shape,
): Float32Array => {
  const size = product(shape)
  if ('normal' in start) return normalArray(key, size).map((z) => z * start.normal)
  if ('orthogonal' in start) {
    const columns = shape.at(-1)!
    const rows = product(shape.slice(0, -1))
    return orthogonalArray(key, rows, columns).map((v) => v * start.orthogonal)
  }
  const values = Float32Array.from(start.fromKey(key, size))
  if (values.length === size) return values
  throw new DiffeoException(shapeError('fromKey', `${size} values for ${show(shape)}`, `${values.length}`))
}
