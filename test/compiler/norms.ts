/** Batch norms in training, as functions of an image, a gain and a bias. */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyTensor, unwrap } from 'diffeo/tensor'
import { type Norm, normalise } from '../../src/nn/conv.js'
import { trust } from '../../src/tensor/tensor.js'
import type { Operation } from './functions.js'

/** The shapes of the image, the gain and the bias. */
export const given = [[4, 6, 5, 3], [3], [3]] as const
/** A norm of x in training, and its next statistics. */
export const normOf =
  (norm: Norm = 'batch') =>
  ([x, gain, bias]: tf.Tensor[]) => {
    const statistics = { mean: tf.zeros([3]), variance: tf.ones([3]) }
    const params = Object.fromEntries(Object.entries({ gain, bias, ...statistics }).map(([k, v]) => [k, trust(v!)]))
    const [y, next] = normalise(norm, params, true)(trust(x!))
    return [unwrap(y), next as Record<'mean' | 'variance', AnyTensor>] as const
  }
export const norms: Readonly<Record<string, Operation>> = {
  alone: { f: (...xs) => tf.tanh(normOf()(xs)[0]), shapes: given },
  'in a residual sum': {
    f: (...xs) => tf.mul(tf.add(tf.relu(normOf()(xs)[0]), xs[0]!), tf.exp(xs[0]!)),
    shapes: given,
  },
  'twice of the same image': {
    f: (...xs) => tf.mul(normOf()(xs)[0], tf.sin(normOf()([xs[0]!, xs[2]!, xs[1]!])[0])),
    shapes: given,
  },
  statistics: {
    f: (...xs) => {
      const [y, { mean, variance }] = normOf()(xs)
      // a twentieth of each is of this batch
      return tf.add(y, tf.mul(tf.add(unwrap(mean), tf.sub(unwrap(variance), 0.95)), 100))
    },
    shapes: given,
    constant: true,
  },
}
