/**
 * Sylvester flows (van den Berg et al. 2018).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { count } from '../tensor/options.js'
import { constant, gaussian, type ParamsOf } from '../tensor/params.js'
import { risingRoot } from '../tensor/root.js'
import { sameVector } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { matrixOf } from './linear.js'
import { withOptions } from './options.js'
import { reflections } from './orthogonal.js'
import { LEAST } from './rank-one.js'

export interface SylvesterOptions {
  /** M, the number of directions in which points move, at most D. Default: 4, or D if it is smaller */
  readonly rank?: number
}

const specOf = (rank: number, d: number) => ({
  axes: gaussian([rank, d], 1),
  outer: constant([rank, rank], 0),
  inner: gaussian([rank, rank], 1),
  shift: constant([rank], 0),
})

/**
 * A Sylvester flow (van den Berg et al. 2018, Eqs. 9, 10, 18): M planar flows at once. The columns of Q are orthonormal, a
 * product of M reflections; R and S are upper triangular with diagonals bounded by tanh, so that rᵢsᵢ ≥ −1 + 10⁻³ and the
 * map is invertible at any parameters. Starts as the identity. Forward takes 2·M·D work. The inverse finds M numbers for
 * each example, one after another, each by 16 halvings and two steps of Newton's method with gradient. Memory: two results
 * and some ten numbers for each of the M directions; the inverse two results for each.
 *
 * - Forward: y = x + Q·R·tanh(S·Qᵀx + b)
 * - Forward log-det: Σ log(1 + rᵢsᵢ·tanh′((S·Qᵀx + b)ᵢ))
 * - Inverse: x = y − Q·R·tanh(S·v + b), v + R·tanh(S·v + b) = Qᵀy, from the last component to the first
 * - Inverse log-det: −Σ log(1 + rᵢsᵢ·tanh′((S·v + b)ᵢ))
 *
 * @example compose(input([8]), repeat(8, sylvester({ rank: 4 })))
 */
export const sylvester = ({ rank = 4 }: SylvesterOptions = {}): Layer<SameVector> =>
  withOptions('sylvester', [count('directions', rank)], () =>
    layer<SameVector>('sylvester', (shape) =>
      pipe(
        sameVector(shape),
        E.map(([d]) => {
          const m = Math.min(rank, d!)
          const parts = ({ axes, outer, inner, shift }: ParamsOf<ReturnType<typeof specOf>>) => {
            const triangular = (of: AnyTensor, bound: number): tf.Tensor2D => {
              const diagonal = tf.mul(tf.mul(tf.tanh(unwrap(of)), bound), tf.eye(m))
              return tf.add(
                tf.mul(
                  unwrap(of),
                  matrixOf(m, (i, j) => (i < j ? 1 : 0)),
                ),
                diagonal,
              )
            }
            return {
              q: reflections(unwrap(axes), m),
              r: triangular(outer, 1),
              s: triangular(inner, 1 - LEAST),
              b: unwrap(shift),
            }
          }
          const diagonalOf = (a: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, tf.eye(m)), 0)
          const logSlopes = (w: tf.Tensor, gain: tf.Tensor): tf.Tensor =>
            tf.log(tf.add(1, tf.mul(gain, tf.sub(1, tf.square(tf.tanh(w))))))
          return bijector({
            name: 'sylvester',
            domain: shape,
            codomain: shape,
            spec: specOf(m, d!),
            forward: (p, x: AnyTensor): readonly [AnyTensor, PerExample] => {
              const { q, r, s, b } = parts(p)
              const w = tf.add(tf.matMul(tf.matMul(unwrap(x) as tf.Tensor2D, q), s, false, true), b) as tf.Tensor2D
              const moved = tf.matMul(tf.matMul(tf.tanh(w), r, false, true), q, false, true)
              const logDet = tf.sum(logSlopes(w, tf.mul(diagonalOf(r), diagonalOf(s))), 1)
              return [trust(tf.add(unwrap(x), moved)), trust(logDet)]
            },
            inverse: (p, y: AnyTensor): readonly [AnyTensor, PerExample] => {
              const { q, r, s, b } = parts(p)
              const target: tf.Tensor2D = tf.matMul(unwrap(y) as tf.Tensor2D, q)
              const column = (of: tf.Tensor2D, i: number): tf.Tensor2D => tf.slice(of, [0, i], [-1, 1])
              /** Row i of an upper triangular matrix from column i + 1 on. */
              const after = (of: tf.Tensor2D, i: number): tf.Tensor2D => tf.slice(of, [i, i + 1], [1, m - i - 1])
              const entry = (of: tf.Tensor2D, i: number): tf.Tensor2D => tf.slice(of, [i, i], [1, 1])
              // the components from i on: v itself and tanh(S·v + b)
              let [v, h]: readonly tf.Tensor2D[] = []
              const logSlopesOf: tf.Tensor[] = []
              for (let i = m - 1; i >= 0; i--) {
                const sum = (of: tf.Tensor2D | undefined, by: tf.Tensor2D): tf.Tensor =>
                  of === undefined ? tf.scalar(0) : tf.matMul(of, after(by, i), false, true)
                const known = tf.add(sum(v, s), tf.slice(b, [i], [1]))
                const goal = tf.sub(column(target, i), sum(h, r))
                const [ri, si] = [entry(r, i), entry(s, i)]
                const w = (of: tf.Tensor): tf.Tensor => tf.add(tf.mul(of, si), known)
                const logSlope = (of: tf.Tensor): tf.Tensor => logSlopes(w(of), tf.mul(ri, si))
                const reach = tf.abs(ri)
                const root = risingRoot(
                  (of) => [tf.add(of, tf.mul(ri, tf.tanh(w(of)))), () => logSlope(of)],
                  goal,
                  tf.sub(goal, reach),
                  tf.add(goal, reach),
                )
                const before = (each: tf.Tensor, all: tf.Tensor2D | undefined): tf.Tensor2D =>
                  (all === undefined ? each : tf.concat([each, all], 1)) as tf.Tensor2D
                ;[v, h] = [before(root, v), before(tf.tanh(w(root)), h)]
                logSlopesOf.push(logSlope(root))
              }
              const moved = tf.matMul(tf.matMul(h!, r, false, true), q, false, true)
              return [trust(tf.sub(unwrap(y), moved)), trust(tf.reshape(tf.neg(tf.addN(logSlopesOf)), [-1]))]
            },
          })
        }),
      ),
    ),
  )
