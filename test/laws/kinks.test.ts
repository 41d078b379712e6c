/** Bijectors that are smooth in pieces: laws of slopes hold beside the kinks. */
import * as tf from '@tensorflow/tfjs-core'
import { type AnyBijector, atShape, bijector, uniformCdf } from 'diffeo'
import { checkLaws } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'

/** y = x above the kink, and slope·(x − kink) + kink below it. */
const leaky = (size: number, kink = 0, slope = 0.1): AnyBijector => {
  /** Slope 1 above the kink, and `below` below it. */
  const bend = (x: tf.Tensor, below: number): tf.Tensor => {
    const from = tf.sub(x, kink)
    return tf.add(tf.add(tf.relu(from), tf.mul(tf.minimum(from, 0), below)), kink)
  }
  const logDet = (x: tf.Tensor) => T.sumEvent(trust(tf.mul(tf.sub(1, tf.step(tf.sub(x, kink))), Math.log(slope))))
  return bijector({
    name: 'leaky',
    domain: [size],
    codomain: [size],
    spec: {},
    forward: (_, x) => [trust(bend(unwrap(x), slope)), logDet(unwrap(x))],
    inverse: (_, y) => {
      const x = bend(unwrap(y), 1 / slope)
      return [trust(x), T.neg(logDet(x))]
    },
  }) as AnyBijector
}

describe('a leaky ReLU', () => {
  it.each([
    [1, 0],
    [2, 0],
    [4, 0],
    [1, 0.7],
    [3, -1],
  ])('of %d values obeys every law with its kink at %d claimed', (size, kink) => {
    const mass = size === 1 ? ([-60, 13.3] as const) : undefined
    checkLaws(leaky(size, kink), { kinks: [kink], seed: 1, runs: 4, ...(mass && { mass }) })
  })
  it('of two values integrates to 1 over a grid whose cells would go across the kink', () => {
    checkLaws(leaky(2), { kinks: [0], mass: [-45, 11], runs: 1, seed: 1 }, ['mass'])
    expect(() => checkLaws(leaky(2), { mass: [-45, 11], runs: 1, seed: 1 }, ['mass'])).toThrow("law 'mass'")
  })
  it('is told to claim its kink where a law of slopes fails', () => {
    const check = () => checkLaws(leaky(3), { seed: 1, runs: 200 }, ['gradients'])
    expect(check).toThrow(/breaks the optional law 'gradients': .*say where, as kinks: \[0\]/)
  })
})

it('inputs come from the support unless a domain is given', () => {
  const b = atShape([2], uniformCdf(10, 14))
  checkLaws(b, { seed: 1, runs: 2 })
  expect(() => checkLaws(b, { domain: [-1, 1], seed: 1, runs: 2 }, ['finite'])).toThrow("law 'finite'")
})
