/**
 * Linear maps of the last axis: of a vector the linear map, of an image the 1×1 convolution.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { zeroPerExample } from '../tensor/ops.js'
import type { ParamsOf, Spec } from '../tensor/params.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { perExample } from './per-example.js'

/** x·W along the last axis. */
export const timesMatrix = (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
  tf.reshape(tf.matMul(tf.reshape(x, [-1, w.shape[0]!]), w as tf.Tensor2D), x.shape)

/** A matrix from its entries. */
export const matrixOf = (size: number, entry: (i: number, j: number) => number): tf.Tensor2D =>
  tf.tensor2d(
    Float32Array.from({ length: size * size }, (_, k) => entry(Math.floor(k / size), k % size)),
    [size, size],
  )

/** W, and what sums to log |det W|; none where that is 0. */
type Matrix = readonly [w: tf.Tensor, logDet?: tf.Tensor]

/** The layer x·W, with W and W⁻¹ functions of the parameters. */
export const linear = <S extends Spec>(
  name: string,
  spec: (channels: number) => S,
  matrices: (channels: number) => {
    readonly forward: (params: ParamsOf<S>) => Matrix
    readonly inverse: (params: ParamsOf<S>) => Matrix
  },
): Layer<Same> =>
  layer<Same>(name, (shape) => {
    const channels = shape.at(-1) ?? 1
    const { forward, inverse } = matrices(channels)
    const by =
      (matrix: (params: ParamsOf<S>) => Matrix) =>
      (params: ParamsOf<S>, x: AnyTensor): readonly [AnyTensor, PerExample] => {
        const [w, logDet] = matrix(params)
        return [
          trust(timesMatrix(unwrap(x), w)),
          logDet === undefined ? zeroPerExample(x) : perExample(logDet, shape, unwrap(x)),
        ]
      }
    return E.right(
      bijector({
        name,
        domain: shape,
        codomain: shape,
        spec: spec(channels),
        forward: by(forward),
        inverse: by(inverse),
      }),
    )
  })
