/**
 * Linear maps that are diagonal plus low rank.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { count } from '../tensor/options.js'
import { constant, gaussian, type ParamsOf } from '../tensor/params.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { perExample } from './per-example.js'
import { raised } from './rank-one.js'

export interface LowRankLinearOptions {
  /** R, the rank of what is added to the diagonal. Default: 4 */
  readonly rank?: number
}

const specOf = (rank: number, c: number) => ({
  logScale: constant([c], 0),
  left: gaussian([rank, c], 1 / Math.sqrt(c)),
  right: constant([rank, c], 0),
})

/**
 * A learned linear map of the last axis, diagonal plus a matrix of rank R, as R updates of rank one. ûₖ differs from the
 * parameter uₖ along vₖ alone, so that vₖᵀûₖ > −1 and the map is invertible at any parameters. Starts as the identity. The
 * log-det is that of the matrix determinant lemma, the inverse that of Sherman, Morrison and Woodbury, each for rank one.
 * Both directions take 2·R·C products for each position, in R sequential steps: less than a full matrix
 * for R < C/2. Memory: R + 1 results.
 *
 * - Forward: y = x·diag exp(s)·Π (I + vₖûₖᵀ)
 * - Forward log-det: H·W·(Σ s + Σ log(1 + vₖᵀûₖ))
 * - Inverse: x = y·Π (I − vₖûₖᵀ/(1 + vₖᵀûₖ))·diag exp(−s), the product in the opposite order
 * - Inverse log-det: −H·W·(Σ s + Σ log(1 + vₖᵀûₖ))
 *
 * @example compose(input([784]), actNorm, lowRankLinear({ rank: 8 }))
 */
export const lowRankLinear = ({ rank = 4 }: LowRankLinearOptions = {}): Layer<Same> =>
  withOptions('lowRankLinear', [count('updates of rank one', rank)], () =>
    layer<Same>('lowRankLinear', (shape) => {
      const c = shape.at(-1) ?? 1
      const updates = ({ left, right }: ParamsOf<ReturnType<typeof specOf>>) =>
        Array.from({ length: rank }, (_, k) => {
          const row = (of: AnyTensor) => tf.slice(unwrap(of), [k, 0], [1, c]) as tf.Tensor2D
          const v = row(left)
          const [u, factor] = raised(row(right), v)
          return { u, v, factor }
        })
      const direction =
        (isForward: boolean) =>
        (params: ParamsOf<ReturnType<typeof specOf>>, x: AnyTensor): readonly [AnyTensor, PerExample] => {
          const all = updates(params)
          const rows = tf.reshape(unwrap(x), [-1, c]) as tf.Tensor2D
          const logScale = unwrap(params.logScale)
          const along = (of: tf.Tensor2D, v: tf.Tensor2D, u: tf.Tensor2D) => tf.matMul(tf.matMul(of, v, false, true), u)
          const y = isForward
            ? all.reduce<tf.Tensor2D>((h, { u, v }) => tf.add(h, along(h, v, u)), tf.mul(rows, tf.exp(logScale)))
            : tf.mul(
                all.reduceRight<tf.Tensor2D>((h, { u, v, factor }) => tf.sub(h, along(h, v, tf.div(u, factor))), rows),
                tf.exp(tf.neg(logScale)),
              )
          const logDet = tf.add(tf.sum(logScale), tf.sum(tf.log(tf.concat(all.map(({ factor }) => factor)))))
          return [
            trust(tf.reshape(y, unwrap(x).shape)),
            perExample(isForward ? logDet : tf.neg(logDet), shape, unwrap(x)),
          ]
        }
      return E.right(
        bijector({
          name: 'lowRankLinear',
          domain: shape,
          codomain: shape,
          spec: specOf(rank, c),
          forward: direction(true),
          inverse: direction(false),
        }),
      )
    }),
  )
