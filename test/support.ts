/** What the tests share: the cpu backend, random non-identity parameters, dense Jacobians. */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  type AnyTensor,
  foldIn,
  type Key,
  mapLeaves,
  normalArray,
  type Param,
  type Params,
  unwrap,
} from 'diffeo'
import { registerGradients } from '../src/engine/gradients.js'
import { trust } from '../src/tensor/tensor.js'

registerGradients()
await tf.setBackend('cpu')

/** Every parameter away from where it starts; variances stay positive. */
export const randomParams = (b: AnyBijector, key: Key, spread = 0.3): Params => {
  let place = 0
  return mapLeaves<Param, AnyTensor>(b.spec, ({ shape, role }, path) => {
    const size = shape.reduce((a, n) => a * n, 1)
    const values = normalArray(foldIn(key, place++), size)
    const value = path.endsWith('variance')
      ? values.map((z) => 0.5 + z * z)
      : path.endsWith('started')
        ? values.fill(1)
        : values.map((z) => z * spread + (role === 'scale' ? 0.7 : 0))
    return trust(tf.tensor(value, [...shape]))
  }) as Params
}

export const tensors = (z: unknown): readonly AnyTensor[] => (Array.isArray(z) ? z : [z as AnyTensor])
export const values = (z: unknown): number[] => tensors(z).flatMap((t) => [...unwrap(t).dataSync()])

/** All values of every latent, one row per example. */
export const rows = (z: unknown): tf.Tensor2D =>
  tf.concat(
    tensors(z).map((t) => tf.reshape(unwrap(t), [unwrap(t).shape[0]!, -1])),
    1,
  ) as tf.Tensor2D

/** log |det J| of one example by dense Jacobian rows (gradients) and LU elimination in doubles. */
export const denseLogDet = (f: (x: tf.Tensor) => unknown, x: tf.Tensor): number => {
  const d = x.size
  const jacobian = Array.from({ length: d }, (_, i) =>
    tf.tidy(() => [
      ...tf
        .grad((v: tf.Tensor) => tf.sum(tf.slice(rows(f(v)), [0, i], [1, 1])))(x)
        .dataSync(),
    ]),
  )
  return logAbsDet(jacobian)
}

const logAbsDet = (matrix: number[][]): number => {
  const m = matrix.map((row) => [...row])
  let logDet = 0
  for (let k = 0; k < m.length; k++) {
    const pivot = m.slice(k).reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(m[best]![k]!) ? k + i : best), k)
    ;[m[k], m[pivot]] = [m[pivot]!, m[k]!]
    logDet += Math.log(Math.abs(m[k]![k]!))
    for (let i = k + 1; i < m.length; i++) {
      const factor = m[i]![k]! / m[k]![k]!
      for (let j = k; j < m.length; j++) m[i]![j]! -= factor * m[k]![j]!
    }
  }
  return logDet
}
