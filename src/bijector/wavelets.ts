/**
 * Orthonormal transforms of images: the Haar wavelet and the discrete cosine transform.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameImage, Squeeze } from '../../types/shape.js'
import { depthToSpace, spaceToDepth, zeroPerExample } from '../tensor/ops.js'
import * as shapes from '../tensor/shape.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { matrixOf, timesMatrix } from './linear.js'

/** ½·(−1)^(row bits of i · column bits of j): the average of a square, its horizontal, vertical and diagonal differences. */
const haarMatrix = (): tf.Tensor2D => matrixOf(4, (i, j) => ([0, 1, 1, 2][i & j]! % 2 === 0 ? 0.5 : -0.5))

/**
 * The Haar wavelet of each 2×2 square, in the layout of `squeeze`: for each channel the average (times 2), then the
 * horizontal, vertical and diagonal differences (Ardizzone et al. 2019; Yu et al. 2020). Orthonormal; its matrix is its own
 * inverse. Four products for each value. Memory: three results.
 *
 * - Forward: y[i, j, 4c + k] = Σ Hₖₗ·squeeze(x)[i, j, 4c + l], Hₖₗ = ½·(−1)^(popcount(k & l))
 * - Forward log-det: 0
 * - Inverse: x = unsqueeze(Σ Hₖₗ·y[i, j, 4c + l])
 * - Inverse log-det: 0
 *
 * @example compose(input([32, 32, 3]), haar, coupling(channelwise())) // Bijector<[32, 32, 3], [16, 16, 12]>
 */
export const haar: Layer<Squeeze> = layer<Squeeze>('haar', (shape) =>
  pipe(
    shapes.squeeze(shape),
    E.map((codomain) => {
      const mix = (x: AnyTensor): AnyTensor =>
        trust(tf.reshape(timesMatrix(tf.reshape(unwrap(x), [-1, 4]), haarMatrix()), unwrap(x).shape))
      const back = (y: AnyTensor): AnyTensor => depthToSpace(mix(y))
      return bijector({
        name: 'haar',
        domain: shape,
        codomain,
        spec: {},
        forward: (_, x: AnyTensor) => [mix(spaceToDepth(x)), zeroPerExample(x)],
        inverse: (_, y: AnyTensor) => [back(y), zeroPerExample(y)],
      })
    }),
  ),
)

/** x·C is the orthonormal DCT-II of rows x. */
const cosines = (n: number): tf.Tensor2D =>
  matrixOf(n, (i, k) => Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * n)))

/**
 * The discrete cosine transform over height and width of each channel: orthonormal DCT-II, whose inverse is its
 * transpose. H + W products for each value. Memory: four results.
 *
 * - Forward: y = C_Hᵀ·x·C_W, C_n[i, k] = √((2 − [k = 0])/n)·cos(π(2i + 1)k/2n)
 * - Forward log-det: 0
 * - Inverse: x = C_H·y·C_Wᵀ
 * - Inverse log-det: 0
 *
 * @example compose(input([28, 28, 1]), logit(), dct, flatten, autoregressiveOf(Transformers.affine())())
 */
export const dct: Layer<SameImage> = layer<SameImage>('dct', (shape) =>
  pipe(
    shapes.sameImage(shape),
    E.map(([h, w]) => {
      const by =
        (matrix: (n: number) => tf.Tensor2D) =>
        (x: AnyTensor): AnyTensor => {
          const channelsFirst = tf.transpose(unwrap(x), [0, 3, 1, 2])
          const alongWidth = timesMatrix(channelsFirst, matrix(w!))
          const alongHeight = timesMatrix(tf.transpose(alongWidth, [0, 1, 3, 2]), matrix(h!))
          return trust(tf.transpose(alongHeight, [0, 3, 2, 1]))
        }
      const [there, back] = [by(cosines), by((n) => tf.transpose(cosines(n)))]
      return bijector({
        name: 'dct',
        domain: shape,
        codomain: shape,
        spec: {},
        forward: (_, x: AnyTensor) => [there(x), zeroPerExample(x)],
        inverse: (_, y: AnyTensor) => [back(y), zeroPerExample(y)],
      })
    }),
  ),
)
