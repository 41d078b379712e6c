import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { foldScales } from '../../../src/compiler/passes/fold-scales.js'
import { agrees, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')
/** Kernels, each with the leading sizes of what it answers: by these a scaled filter is told from a scaled image. */
const kernels = (operation: Operation): string => {
  const { values, calls } = foldScales(programOf(operation))
  return calls.map((c) => `${c.kernel} ${values[c.outputs[0]!]!.shape.slice(0, 2)}`).join('; ')
}
const shapes = [[2, 6, 5, 16], [3, 3, 16, 32], [32], [32]]

describe('a scale by channel after a convolution', () => {
  const cases: readonly (readonly [string, Operation['f'], string])[] = [
    [
      'goes into filter and bias',
      (x, w, b, s) => tf.mul(tf.add(conv(x!, w!), b!), s!),
      'Multiply 3,3; Conv2D 2,6; Multiply 32; Add 2,6',
    ],
    [
      'goes into them from the left',
      (x, w, b, s) => tf.relu(tf.sub(tf.mul(s!, tf.add(b!, conv(x!, w!))), b!)),
      'Multiply 3,3; Conv2D 2,6; Multiply 32; Add 2,6; Sub 2,6; Relu 2,6',
    ],
    [
      'goes into the filter where there is no bias',
      (x, w, b, s) => tf.add(tf.mul(conv(x!, w!), s!), b!),
      'Multiply 3,3; Conv2D 2,6; Add 2,6',
    ],
    [
      'leaves one bias where there is another after it',
      (x, w, b, s) => tf.add(b!, tf.add(tf.mul(tf.add(conv(x!, w!), b!), s!), s!)),
      'Multiply 3,3; Conv2D 2,6; Multiply 32; Add 32; Add 32; Add 2,6',
    ],
    [
      'leaves biases of anything else as they are',
      (x, w, b, s) => tf.add(tf.add(tf.tanh(conv(x!, w!)), b!), s!),
      'Conv2D 2,6; Tanh 2,6; Add 2,6; Add 2,6',
    ],
    [
      'stays where the convolution is read again',
      (x, w, b, s) => {
        const y = conv(x!, w!)
        return tf.add(tf.mul(tf.add(y, b!), s!), y)
      },
      'Conv2D 2,6; Add 2,6; Multiply 2,6; Add 2,6',
    ],
    [
      'stays where the sum is read again',
      (x, w, b, s) => {
        const y = tf.add(conv(x!, w!), b!)
        return tf.add(tf.mul(y, s!), y)
      },
      'Conv2D 2,6; Add 2,6; Multiply 2,6; Add 2,6',
    ],
    [
      'stays where it depends on the convolution',
      (x, w, b) => {
        const y = tf.add(conv(x!, w!), b!)
        return tf.mul(y, tf.mean(y, [0, 1, 2]))
      },
      'Conv2D 2,6; Add 2,6; Mean 32; Multiply 2,6',
    ],
  ]
  it.each(cases)('%s', async (_, f, wanted) => {
    const own = { f, shapes: f.length === 3 ? shapes.slice(0, 3) : shapes }
    expect(kernels(own)).toBe(wanted)
    // the gradients read the convolution again, so that nothing is folded
    await agrees({ ...own, constant: true }, ['onnxruntime'])
    await agrees(own, ['onnxruntime'])
  })
})
