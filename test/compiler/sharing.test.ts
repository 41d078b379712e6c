/** What a program computes once: what differs in a type, a shape or an attribute alone is not the same. */
import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { afterAll, expect, it } from 'vitest'
import { jit } from '../../src/jit.js'
import { fast } from './agree.js'

afterAll(async () => {
  await ready('cpu')
})

type Of = (x: tf.Tensor2D) => tf.Tensor
const asInt = (x: tf.Tensor): tf.Tensor => tf.cast(x, 'int32')
const pairs: Readonly<Record<string, readonly Of[]>> = {
  'casts to other types': [(x) => tf.cast(x, 'int32'), (x) => tf.cast(x, 'bool'), (x) => x],
  // the bytes of 0 are the same
  'constants of other types': [
    (x) => tf.maximum(x, tf.scalar(0)),
    (x) => tf.maximum(asInt(x), tf.scalar(0, 'int32')),
    (x) => tf.logicalOr(tf.cast(x, 'bool'), tf.scalar(false, 'bool')),
  ],
  'constants of other shapes': [
    (x) => tf.concat([x, tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3])], 0),
    (x) => tf.concat([x, tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3])], 1),
    (x) => tf.matMul(x, tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2])),
  ],
  'constants of other values': [(x) => tf.add(x, 1), (x) => tf.add(x, 2), (x) => tf.add(x, tf.tensor1d([1, 2, 1]))],
  'zeros of two signs': [(x) => tf.div(tf.add(tf.abs(x), 1), 0), (x) => tf.div(tf.add(tf.abs(x), 1), -0)],
  'sums along other axes': [(x) => tf.sum(x, 0), (x) => tf.sum(x, 1), (x) => tf.sum(x)],
  'axes kept and dropped': [(x) => tf.sum(x, 1, true), (x) => tf.sum(x, 1)],
  'products of transposes': [
    (x) => tf.matMul(x, x, false, true),
    (x) => tf.matMul(x, x, true, false),
    (x) => tf.sub(tf.matMul(x, x, true, false), 1),
  ],
  slopes: [(x) => tf.leakyRelu(x, 0.1), (x) => tf.leakyRelu(x, 0.2), (x) => tf.relu(x)],
  bounds: [(x) => tf.clipByValue(x, -1, 1), (x) => tf.clipByValue(x, -1, 2), (x) => tf.clipByValue(x, 0, 1)],
  slices: [(x) => tf.slice(x, [0, 0], [2, 2]), (x) => tf.slice(x, [0, 1], [2, 2]), (x) => tf.slice(x, [0, 1], [1, 2])],
  shapes: [(x) => tf.reshape(x, [3, 2]), (x) => tf.reshape(x, [6]), (x) => tf.transpose(x)],
  'running sums': [(x) => tf.cumsum(x, 1), (x) => tf.cumsum(x, 1, true), (x) => tf.cumsum(x, 1, false, true)],
  'operands exchanged': [(x) => tf.sub(x, 2), (x) => tf.sub(2, x)],
}
const input = (): tf.Tensor2D => tf.tensor2d([1, -2, 0, 1.5, 2.25, -0.5], [2, 3])
const read = async (ts: readonly tf.Tensor[]) => {
  const all: unknown[] = []
  for (const t of ts) all.push([t.dtype, t.shape, [...(await t.data())].map((v) => Math.fround(v))])
  tf.dispose([...ts])
  return all
}

it.each(Object.entries(pairs))('%s', async (_, functions) => {
  await ready('cpu')
  const x = input()
  const wanted = await read(functions.map((f) => f(x)))
  x.dispose()
  const together = jit((t: tf.Tensor2D) => functions.map((f) => f(t)))
  for (const engine of [fast, 'cpu'] as const) {
    await ready(engine)
    const own = input()
    expect(await read(await together(own)), engine).toEqual(wanted)
    own.dispose()
  }
  await together.dispose()
})
