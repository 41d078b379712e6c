/** Sums of images as one call: whatever is gathered, each bias, scale and term counts once, and none is left out. */
import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { gatherImageSums } from '../../../src/compiler/passes/image-sums.js'
import { jit } from '../../../src/jit.js'
import { agrees, fast, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const IMAGE = [2, 3, 4, 16]
/** An image, scale, bias and filter for each side. */
const side = [IMAGE, [16], [16], [3, 3, 16, 16]]
const shapes = [...side, ...side, [16]]
type Form = (x: tf.Tensor, s: tf.Tensor, b: tf.Tensor, w: tf.Tensor) => tf.Tensor
const conv: Form = (x, _s, _b, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')
const forms: Readonly<Record<string, Form>> = {
  x: (x) => x,
  'x + b': (x, _, b) => tf.add(x, b),
  'b − x': (x, _, b) => tf.sub(b, x),
  'x − b': (x, _, b) => tf.sub(x, b),
  's x': (x, s) => tf.mul(s, x),
  's x + b': (x, s, b) => tf.add(tf.mul(x, s), b),
  's (x + b)': (x, s, b) => tf.mul(tf.add(x, b), s),
  'x + b + s': (x, s, b) => tf.add(tf.add(x, b), s),
  'conv x': conv,
  'conv x + b': (x, s, b, w) => tf.add(conv(x, s, b, w), b),
  's conv x + b': (x, s, b, w) => tf.add(tf.mul(conv(x, s, b, w), s), b),
}
const joins: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => tf.Tensor>> = {
  '+': (a, b) => tf.add(a, b),
  '−': (a, b) => tf.sub(a, b),
  '+ … + c, relu': (a, b, c) => tf.relu(tf.add(tf.add(a, b), c)),
  '− …, scaled': (a, b, c) => tf.mul(tf.neg(tf.sub(a, b)), c),
}
const pairs = Object.entries(joins).flatMap(([join, of], i) =>
  Object.entries(forms).flatMap(([first, f], j) =>
    Object.entries(forms).flatMap(([second, g], k) => {
      const operation: Operation = {
        f: (...t) => of(f(t[0]!, t[1]!, t[2]!, t[3]!), g(t[4]!, t[5]!, t[6]!, t[7]!), t[8]!),
        shapes,
        constant: true,
      }
      // every pair once, every form with every join
      return (i + j + k) % 4 === 0 ? [[first, join, second, operation] as const] : []
    }),
  ),
)

describe('a sum of images', () => {
  it.each(pairs)('%s %s %s is what TensorFlow.js computes', async (_first, _join, _second, operation) => {
    await agrees(operation, [fast])
  })
  /** Of a convolution that is read again: it lies in blocks, and is no part of the sum's own call. */
  const apart = (sum: (y: tf.Tensor, t: readonly tf.Tensor[]) => tf.Tensor): Operation => ({
    f: (...t) => {
      const y = conv(t[0]!, t[1]!, t[2]!, t[3]!)
      return tf.mul(sum(y, t), y)
    },
    shapes,
    constant: true,
  })
  it.each<readonly [string, Operation]>([
    [
      'conv x + y + z',
      { ...pairs[0]![3], f: (...t) => [conv(t[0]!, t[1]!, t[2]!, t[3]!), t[0]!, t[4]!].reduce(tf.add) },
    ],
    ['a blocked image + y + z', apart((y, t) => tf.add(tf.add(y, t[0]!), t[4]!))],
    ['a blocked image + y + b + c', apart((y, t) => tf.add(tf.add(tf.add(y, t[2]!), t[4]!), t[6]!))],
    ['a blocked image + b', apart((y, t) => tf.relu(tf.add(y, t[2]!)))],
    [
      's times a blocked image + t y + b',
      apart((y, t) => tf.add(tf.add(tf.mul(y, t[1]!), tf.mul(t[4]!, t[5]!)), t[2]!)),
    ],
  ])('%s is what TensorFlow.js computes', async (_, operation) => {
    await agrees(operation, [fast])
  })
  it('has both biases, with numbers that show which is missing', async () => {
    await ready(fast)
    const [x, y] = [tf.fill(IMAGE, 100), tf.fill(IMAGE, 3)]
    const [b, c] = [tf.fill([16], 1000), tf.fill([16], 10)]
    const run = jit((...t: tf.Tensor[]) => tf.relu(tf.add(tf.add(t[0]!, t[2]!), tf.add(t[1]!, t[3]!))))
    const out = await run(x, y, b, c)
    expect([...new Set(await out.data())]).toEqual([1113])
    tf.dispose([x, y, b, c, out])
    await run.dispose()
    await ready('cpu')
  })
  it('is one call', () => {
    const operation: Operation = {
      f: (x, b, y, c) => tf.add(tf.add(x!, b!), tf.add(y!, c!)),
      shapes: [IMAGE, [16], IMAGE, [16]],
    }
    const { calls } = gatherImageSums(16)(programOf(operation))
    expect(calls.filter(({ kernel }) => kernel === 'ImageSum')).toHaveLength(1)
    expect(kernelsOf({ calls } as never)).not.toContain('Sub')
  })
})
