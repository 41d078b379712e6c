/**
 * Radial flows (Rezende & Mohamed 2015).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { constant, gaussian, type ParamsOf } from '../tensor/params.js'
import { sameVector } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { raisedFactor } from './rank-one.js'

const specOf = (d: number) => ({
  centre: gaussian([d], 1),
  logRadius: constant([1], 0),
  pull: constant([1], 0),
})

/** ‖v‖ of each row, with gradient 0 at 0. */
const lengthOf = (v: tf.Tensor): tf.Tensor => tf.sqrt(tf.maximum(tf.sum(tf.square(v), 1, true), 1e-30))

/**
 * A radial flow (Rezende & Mohamed 2015, Eq. 14): it contracts or expands space around a centre c. β ≥ −α·(1 − 10⁻³), so it
 * is invertible at any parameters. Starts as the identity. Both directions are closed forms of 3·D work: the distance r
 * solves a quadratic equation. Memory: four results.
 *
 * - Forward: y = x + β/(α + r)·(x − c), r = ‖x − c‖
 * - Forward log-det: (D − 1)·log(1 + β/(α + r)) + log(1 + αβ/(α + r)²)
 * - Inverse: x = c + (y − c)/(1 + β/(α + r)), r² + (α + β − ‖y − c‖)·r = α·‖y − c‖
 * - Inverse log-det: −(D − 1)·log(1 + β/(α + r)) − log(1 + αβ/(α + r)²)
 *
 * @example compose(input([2]), repeat(16, radial))
 */
export const radial: Layer<SameVector> = layer<SameVector>('radial', (shape) =>
  pipe(
    sameVector(shape),
    E.map(([d]) => {
      const parts = ({ centre, logRadius, pull }: ParamsOf<ReturnType<typeof specOf>>, of: AnyTensor) => {
        const alpha = tf.exp(unwrap(logRadius))
        const beta = tf.mul(alpha, tf.sub(raisedFactor(unwrap(pull)), 1))
        return { alpha, beta, centre: unwrap(centre), away: tf.sub(unwrap(of), unwrap(centre)) }
      }
      /** 1 + β/(α + r), and the log-det. */
      const at = (r: tf.Tensor, alpha: tf.Tensor, beta: tf.Tensor) => {
        const sum = tf.add(alpha, r)
        const scale = tf.add(1, tf.div(beta, sum))
        const along = tf.add(1, tf.div(tf.mul(alpha, beta), tf.square(sum)))
        return { scale, logDet: tf.reshape(tf.add(tf.mul(tf.log(scale), d! - 1), tf.log(along)), [-1]) }
      }
      return bijector({
        name: 'radial',
        domain: shape,
        codomain: shape,
        spec: specOf(d!),
        forward: (p, x: AnyTensor): readonly [AnyTensor, PerExample] => {
          const { alpha, beta, centre, away } = parts(p, x)
          const { scale, logDet } = at(lengthOf(away), alpha, beta)
          return [trust(tf.add(centre, tf.mul(away, scale))), trust(logDet)]
        },
        inverse: (p, y: AnyTensor): readonly [AnyTensor, PerExample] => {
          const { alpha, beta, centre, away } = parts(p, y)
          const length = lengthOf(away)
          // the positive root of r² + br = c, in the form that adds numbers of one sign
          const b = tf.sub(tf.add(alpha, beta), length)
          const c = tf.mul(alpha, length)
          const q = tf.add(tf.abs(b), tf.sqrt(tf.add(tf.square(b), tf.mul(c, 4))))
          const isPositive = tf.step(b)
          const r = tf.add(tf.mul(isPositive, tf.div(tf.mul(c, 2), q)), tf.mul(tf.sub(1, isPositive), tf.mul(q, 0.5)))
          const { scale, logDet } = at(r, alpha, beta)
          return [trust(tf.add(centre, tf.div(away, scale))), trust(tf.neg(logDet))]
        },
      })
    }),
  ),
)
