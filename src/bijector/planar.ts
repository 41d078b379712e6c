/**
 * Planar flows (Rezende & Mohamed 2015).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { constant, gaussian, type ParamsOf } from '../tensor/params.js'
import { risingRoot } from '../tensor/root.js'
import { sameVector } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { raised } from './rank-one.js'

const specOf = (d: number) => ({
  normal: gaussian([d], 1 / Math.sqrt(d)),
  push: constant([d], 0),
  shift: constant([1], 0),
})

/** 1 − tanh² */
const slopeOf = (a: tf.Tensor): tf.Tensor => tf.sub(1, tf.square(tf.tanh(a)))

/**
 * A planar flow (Rezende & Mohamed 2015, Eqs. 10–13): it moves points along û, by an amount that depends on their distance from a plane. û differs
 * from the parameter u along w alone, so that wᵀû ≥ −1 + 10⁻³ and the map is invertible at any parameters. Starts as the
 * identity. Forward takes 4·D work. The inverse finds one number for each example: 16 halvings, then two steps of Newton's
 * method with gradient, exact to the rounding of float32 times the slope's reciprocal. Memory: four results.
 *
 * - Forward: y = x + û·tanh(wᵀx + b)
 * - Forward log-det: log(1 + wᵀû·tanh′(wᵀx + b))
 * - Inverse: x = y − û·tanh(a), a + wᵀû·tanh(a) = wᵀy + b
 * - Inverse log-det: −log(1 + wᵀû·tanh′(a))
 *
 * @example compose(input([2]), repeat(16, planar))
 */
export const planar: Layer<SameVector> = layer<SameVector>('planar', (shape) =>
  pipe(
    sameVector(shape),
    E.map(([d]) => {
      const parts = ({ normal, push, shift }: ParamsOf<ReturnType<typeof specOf>>, of: AnyTensor) => {
        const w = tf.reshape(unwrap(normal), [1, d!]) as tf.Tensor2D
        const [u, factor] = raised(tf.reshape(unwrap(push), [1, d!]), w)
        const distance = tf.add(tf.matMul(unwrap(of) as tf.Tensor2D, w, false, true), unwrap(shift))
        return { u, gain: tf.sub(factor, 1), distance }
      }
      const logSlope = (a: tf.Tensor, gain: tf.Tensor): tf.Tensor => tf.log(tf.add(1, tf.mul(gain, slopeOf(a))))
      const perExample = (each: tf.Tensor): PerExample => trust(tf.reshape(each, [-1]))
      return bijector({
        name: 'planar',
        domain: shape,
        codomain: shape,
        spec: specOf(d!),
        forward: (p, x: AnyTensor) => {
          const { u, gain, distance } = parts(p, x)
          const y: AnyTensor = trust(tf.add(unwrap(x), tf.mul(tf.tanh(distance), u)))
          return [y, perExample(logSlope(distance, gain))]
        },
        inverse: (p, y: AnyTensor) => {
          const { u, gain, distance } = parts(p, y)
          const reach = tf.abs(gain)
          const a = risingRoot(
            (v) => [tf.add(v, tf.mul(gain, tf.tanh(v))), () => logSlope(v, gain)],
            distance,
            tf.sub(distance, reach),
            tf.add(distance, reach),
          )
          const x: AnyTensor = trust(tf.sub(unwrap(y), tf.mul(tf.tanh(a), u)))
          return [x, perExample(tf.neg(logSlope(a, gain)))]
        },
      })
    }),
  ),
)
