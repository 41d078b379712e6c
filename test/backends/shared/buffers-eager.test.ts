import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, expect, it } from 'vitest'
import { jit } from '../../../src/jit.js'
import { fast } from '../../compiler/agree.js'

beforeAll(async () => {
  await ready(fast)
})

/** 16 MB, as much as the memory of the backend for eager operations has at first: it grows at each fetch. */
const SIZE = 2 ** 22

it.each<[string, (x: tf.Tensor, y: tf.Tensor) => tf.Tensor, readonly [first: number, last: number]]>([
  ['clone', (x) => tf.clone(x), [2, 2]],
  ['cast', (x) => tf.cast(x, 'int32'), [2, 2]],
  ['slice', (x) => tf.slice(x, [1], [SIZE - 1]), [2, 2]],
  ['concat', (x, y) => tf.concat([x, y]), [2, 3]],
])('%s takes what a compiled function answered, though the memory moves to hold it', async (_, use, ends) => {
  const plus = jit((x: tf.Tensor, by: tf.Tensor) => tf.add(x, by))
  const zeros = tf.zeros([SIZE])
  const by = [2, 3].map((v) => tf.scalar(v))
  const [x, y] = (await Promise.all(by.map((v) => plus(zeros, v)))) as [tf.Tensor, tf.Tensor]
  const out = use(x, y)
  const values = await out.data()
  expect([values[0], values.at(-1)]).toEqual(ends)
  tf.dispose([zeros, ...by, x, y, out])
  await plus.dispose()
})
