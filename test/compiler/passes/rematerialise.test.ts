import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, expect, it } from 'vitest'
import { gatherImageSums } from '../../../src/compiler/passes/image-sums.js'
import { rematerialise } from '../../../src/compiler/passes/rematerialise.js'
import { simplify } from '../../../src/compiler/passes/simplify.js'
import { trace } from '../../../src/compiler/trace.js'
import { agrees } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const times = (n: number, f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor =>
  n === 0 ? x : times(n - 1, f, f(x))

const shapes = [[16, 4, 3, 16], [16], [16]]
/** relu(s ⊙ x + b), read at once and after so many calls, twice; x is read after that, or is not. */
const far =
  (calls: number, kept: boolean): Operation['f'] =>
  (x, s, b) => {
    const y = tf.relu(tf.add(tf.mul(x!, s!), b!))
    const z = times(calls, tf.tanh, y)
    const both = tf.mul(tf.mul(z, y), tf.exp(y))
    return kept ? tf.mul(both, tf.exp(x!)) : both
  }
/** How many calls are made a second time. */
const again = (f: Operation['f']): number => {
  const infos = shapes.map((shape) => ({ shape, dtype: 'float32' as const }))
  const gathered = gatherImageSums(16)(simplify(trace((xs) => [f(...xs)], infos)))
  return rematerialise(gathered).calls.length - gathered.calls.length
}

it('makes a normalised image again for far uses, once, if what it is made of is there', async () => {
  expect(again(far(120, true))).toBe(1)
  expect(again(far(20, true))).toBe(0)
  expect(again(far(120, false))).toBe(0)
  await agrees({ f: far(120, true), shapes, constant: true }, ['onnxruntime'])
})
