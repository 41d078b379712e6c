/**
 * Parameters and inputs to test a bijector with.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { AnyBijector } from '../bijector/layer.js'
import { mapLeaves, type Param, type Params } from '../tensor/params.js'
import { foldIn, type Key, normalArray, uniformArray } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, trust } from '../tensor/tensor.js'

/**
 * Moves every parameter away from its start: most bijectors start as the identity, which obeys every law.
 * Leaves called `variance` stay positive, leaves called `started` are 1.
 *
 * @example moons.bijector.bind(randomParams(moons.bijector.spec, key(0)))
 */
export const randomParams = (spec: AnyBijector['spec'], key: Key, spread = 0.3): Params => {
  let place = 0
  return mapLeaves<Param, AnyTensor>(spec, ({ shape, role }, path) => {
    const draws = normalArray(foldIn(key, place++), product(shape))
    const name = path.split('/').at(-1)
    return trust(
      tf.tensor(
        name === 'variance'
          ? draws.map((z) => 0.5 + z * z)
          : name === 'started'
            ? draws.fill(1)
            : draws.map((z) => z * spread + (role === 'scale' ? 0.7 : 0)),
        [...shape],
      ),
    )
  })
}

/**
 * `n` events, each value uniform on [low, high].
 *
 * @example randomBatch([2], [-1, 1], 5, key(0)) // five points of the square
 */
export const randomBatch = (
  shape: readonly number[],
  [low, high]: readonly [number, number],
  n: number,
  key: Key,
): AnyTensor =>
  trust(
    tf.tensor(
      uniformArray(key, n * product(shape)).map((u) => low + (high - low) * u),
      [n, ...shape],
    ),
  )
