/**
 * Normal distributions with learned parameters, over all elements of the latents as one vector.
 *
 *   diagonal   z = μ + exp(s)⊙ε                  log p = −½ Σ (ε² + log 2π) − Σ s,  ε = (z − μ)⊙exp(−s)
 *   full       z = μ + (I + N)⁻¹(exp(−a)⊙ε)      log p = −½ Σ (ε² + log 2π) + Σ a,  ε = exp(a)⊙(I + N)(z − μ)
 *
 * N is strictly lower triangular, so that exp(a)(I + N) is the Cholesky factor of the precision matrix, and
 * (I + N)⁻¹ = (I − N)(I + N²)(I + N⁴)… is a product of ⌈log₂ D⌉ factors. All start as the standard normal. A temperature
 * scales ε.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { tidy } from '../tensor/ops.js'
import { constant, type Params } from '../tensor/params.js'
import { type AnyTensor, unwrap } from '../tensor/tensor.js'
import { type Base, tempered } from './base.js'
import { boundedSquare, elements, ofFinite, unflattened } from './flat.js'

const param = (params: Params, name: string): tf.Tensor => unwrap(params[name] as AnyTensor)

/** log p of standard normals, summed over the elements. */
const logNormal = (e: tf.Tensor): tf.Tensor =>
  tf.sum(tf.sub(tf.mul(boundedSquare(e), -0.5), 0.5 * Math.log(2 * Math.PI)), 1)

/**
 * Independent normals with a learned mean and deviation for each element.
 *
 * @example
 * const model = flow(atShape([2], affine), diagonalGaussian)
 * countParams(diagonalGaussian.spec([2])) // 4
 */
export const diagonalGaussian: Base = {
  name: 'diagonalGaussian',
  spec: (latents) => ({ mean: constant([elements(latents)], 0), logScale: constant([elements(latents)], 0) }),
  logProb: (params, z) => {
    const [mean, logScale] = [param(params, 'mean'), param(params, 'logScale')]
    return ofFinite((flat) =>
      tf.sub(logNormal(tf.mul(tf.sub(flat, mean), tf.exp(tf.neg(logScale)))), tf.sum(logScale)),
    )(z)
  },
  noise: (latents) => [{ kind: 'normal', shape: [elements(latents)] }],
  make: (latents, params, [noise], { temperature } = {}) =>
    tidy(() => {
      const e = unwrap(tempered(noise!, temperature))
      return unflattened(latents, tf.add(param(params, 'mean'), tf.mul(tf.exp(param(params, 'logScale')), e)))
    }),
}

/** The strictly lower triangle of a matrix. */
const strictlyLower = (matrix: tf.Tensor): tf.Tensor2D => {
  const d = matrix.shape[0]!
  const mask = Float32Array.from({ length: d * d }, (_, i) => (i % d < Math.floor(i / d) ? 1 : 0))
  return tf.mul(matrix, tf.tensor2d(mask, [d, d])) as tf.Tensor2D
}

/** (I + N)⁻¹ of a strictly lower triangular N. */
const inverseOfUnit = (n: tf.Tensor2D): tf.Tensor2D => {
  const d = n.shape[0]
  const identity = tf.eye(d)
  let power = tf.neg(n) as tf.Tensor2D
  let product = tf.add(identity, power) as tf.Tensor2D
  for (let reached = 2; reached < d; reached *= 2) {
    power = tf.matMul(power, power)
    product = tf.matMul(product, tf.add(identity, power) as tf.Tensor2D)
  }
  return product
}

/**
 * One normal distribution with a learned mean and covariance. Its D² parameters suit small D: it starts as the standard
 * normal.
 *
 * @example countParams(fullGaussian.spec([2])) // 8
 */
export const fullGaussian: Base = {
  name: 'fullGaussian',
  spec: (latents) => {
    const d = elements(latents)
    return { mean: constant([d], 0), logDiagonal: constant([d], 0), lower: constant([d, d], 0) }
  },
  logProb: (params, z) => {
    const logDiagonal = param(params, 'logDiagonal')
    return ofFinite((flat) => {
      const centred = tf.sub(flat, param(params, 'mean')) as tf.Tensor2D
      const mixed = tf.add(centred, tf.matMul(centred, strictlyLower(param(params, 'lower')), false, true))
      return tf.add(logNormal(tf.mul(mixed, tf.exp(logDiagonal))), tf.sum(logDiagonal))
    })(z)
  },
  noise: (latents) => [{ kind: 'normal', shape: [elements(latents)] }],
  make: (latents, params, [noise], { temperature } = {}) =>
    tidy(() => {
      const e = tf.mul(unwrap(tempered(noise!, temperature)), tf.exp(tf.neg(param(params, 'logDiagonal'))))
      const inverse = inverseOfUnit(strictlyLower(param(params, 'lower')))
      return unflattened(latents, tf.add(param(params, 'mean'), tf.matMul(e as tf.Tensor2D, inverse, false, true)))
    }),
}
