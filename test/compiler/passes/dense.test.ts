import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { gatherDense } from '../../../src/compiler/passes/dense.js'
import { agrees, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const layer = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(tf.matMul(x, w), b)
const operation = (f: Operation['f'], ...shapes: number[][]): Operation => ({ f, shapes })
const shapes = [[7, 5], [5, 3], [3]]

describe('dense layers', () => {
  const whole: readonly (readonly [string, Operation])[] = [
    ['with a bias', operation(layer as Operation['f'], ...shapes)],
    ['with a bias in front', operation((x, w, b) => tf.add(b!, tf.matMul(x!, w!)), ...shapes)],
    ['with ReLU', operation((x, w, b) => tf.relu(layer(x!, w!, b!)), ...shapes)],
    [
      'of transposes',
      operation((x, w, b) => tf.relu(tf.add(tf.matMul(x!, w!, true, true), b!)), [5, 7], [3, 5], [1, 3]),
    ],
  ]
  const twice: readonly (readonly [string, Operation['f']])[] = [
    ['two biases', (x, w, b, c) => tf.add(layer(x!, w!, b!), c!)],
    ['two biases and ReLU', (x, w, b, c) => tf.relu(tf.add(layer(x!, w!, b!), c!))],
    ['a bias on each side of a ReLU', (x, w, b, c) => tf.add(tf.relu(layer(x!, w!, b!)), c!)],
    ['a bias and the same again', (x, w, b, c) => tf.add(tf.add(layer(x!, w!, b!), b!), c!)],
    ['two products', (x, w, b, c) => tf.add(layer(x!, w!, b!), layer(x!, w!, c!))],
  ]
  it.each(twice)('with %s have all of them', async (_, f) => {
    await agrees({ f, shapes: [...shapes, [3]] }, ['onnxruntime'])
  })
  it.each(whole)('%s are one call, and what the cpu answers', async (_, own) => {
    expect(kernelsOf(gatherDense(programOf(own)))).toEqual(['Dense'])
    await agrees(own, ['onnxruntime'])
  })

  const apart: readonly (readonly [string, Operation, readonly string[]])[] = [
    [
      'a product that is read again',
      operation(
        (x, w, b) => {
          const y = tf.matMul(x!, w!)
          return tf.mul(tf.add(y, b!), y)
        },
        ...shapes,
      ),
      ['BatchMatMul', 'Add', 'Multiply'],
    ],
    [
      'a sum that is read again',
      operation(
        (x, w, b) => {
          const y = layer(x!, w!, b!)
          return tf.mul(tf.relu(y), y)
        },
        ...shapes,
      ),
      ['Dense', 'Relu', 'Multiply'],
    ],
    ['a sum with a column', operation(layer as Operation['f'], [7, 5], [5, 3], [7, 1]), ['BatchMatMul', 'Add']],
    ['products of many', operation(layer as Operation['f'], [2, 7, 5], [2, 5, 3], [3]), ['BatchMatMul', 'Add']],
  ]
  it.each(apart)('%s stay as they are', async (_, own, wanted) => {
    expect(kernelsOf(gatherDense(programOf(own)))).toEqual(wanted)
    await agrees(own, ['onnxruntime'])
  })
})

describe('sums of what zeros were put around', () => {
  const padded = (x: tf.Tensor, y: tf.Tensor, [p, q]: number[][][], value = 0): tf.Tensor =>
    tf.add(tf.pad(x, p as [number, number][], value), tf.pad(y, q as [number, number][]))
  const before = [
    [0, 0],
    [3, 0],
  ]
  const behind = [
    [0, 0],
    [0, 2],
  ]
  const cases: readonly (readonly [string, Operation, readonly string[]])[] = [
    ['one behind the other', operation((x, y) => padded(x!, y!, [behind, before]), [4, 3], [4, 2]), ['Concat']],
    ['the other way round', operation((x, y) => padded(x!, y!, [before, behind]), [4, 2], [4, 3]), ['Concat']],
    [
      'with a gap',
      operation(
        (x, y) =>
          padded(x!, y!, [
            [
              [0, 0],
              [0, 3],
            ],
            [
              [0, 0],
              [4, 0],
            ],
          ]),
        [4, 3],
        [4, 2],
      ),
      ['PadV2', 'PadV2', 'Add'],
    ],
    [
      'one over the other',
      operation(
        (x, y) =>
          padded(x!, y!, [
            behind,
            [
              [0, 0],
              [0, 3],
            ],
          ]),
        [4, 3],
        [4, 2],
      ),
      ['PadV2', 'PadV2', 'Add'],
    ],
    [
      'repeated by the sum',
      operation((x, y) => padded(x!, y!, [behind, before]), [4, 3], [1, 2]),
      ['PadV2', 'PadV2', 'Add'],
    ],
    [
      'around with another number',
      operation((x, y) => padded(x!, y!, [behind, before], 1), [4, 3], [4, 2]),
      ['PadV2', 'PadV2', 'Add'],
    ],
  ]
  it.each(cases)('%s', async (_, own, wanted) => {
    expect(kernelsOf(programOf(own))).toEqual(wanted)
    await agrees(own, ['onnxruntime'])
  })
})
