import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { gatherColumns } from '../../../src/compiler/passes/columns.js'
import { gatherDense } from '../../../src/compiler/passes/dense.js'
import { gatherSlices } from '../../../src/compiler/passes/splits.js'
import type { Program } from '../../../src/compiler/program.js'
import { agrees, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const kernels = (own: Operation): readonly string[] =>
  [...kernelsOf(gatherColumns(gatherDense(gatherSlices(programOf(own)))))].sort()

/** The first `left` columns, and the others. */
const cut = (x: tf.Tensor, left = 1): [tf.Tensor, tf.Tensor] => {
  const [rows, width] = x.shape as [number, number]
  return [tf.slice(x, [0, 0], [rows, left]), tf.slice(x, [0, left], [rows, width - left])]
}
/** What tells the two apart. */
const told = ([a, b]: readonly [tf.Tensor, tf.Tensor]): tf.Tensor => tf.mul(tf.exp(a), tf.sum(b))

describe('what is cut into columns', () => {
  const net = [[7, 5], [5, 2], [2]]
  const pair = [
    [7, 1],
    [7, 1],
  ]
  const cases: Readonly<Record<string, readonly [Operation, readonly string[]]>> = {
    'a dense layer is a layer for each': [
      { f: (x, w, b) => told(cut(tf.add(tf.matMul(x!, w!), b!))), shapes: net },
      ['Dense', 'Dense', 'Exp', 'Multiply', 'SplitV', 'SplitV', 'Sum'],
    ],
    'a product with a transpose is a product for each': [
      {
        f: (x, w) => told(cut(tf.matMul(x!, w!, true, true))),
        shapes: [
          [5, 7],
          [2, 5],
        ],
      },
      ['BatchMatMul', 'BatchMatMul', 'Exp', 'Multiply', 'SplitV', 'Sum'],
    ],
    'a norm after a concatenation goes along with the parts, constants cut beforehand': [
      {
        f: (a, b, s) => told(cut(tf.sub(tf.tensor1d([3, 4]), tf.div(tf.concat([a!, b!], 1), s!)))),
        shapes: [...pair, [1, 2]],
      },
      ['Exp', 'Multiply', 'RealDiv', 'RealDiv', 'SplitV', 'Sub', 'Sub', 'Sum'],
    ],
    'parts wider than one': [
      { f: (a, b, s) => told(cut(tf.mul(s!, tf.concat([a!, b!], -1)), 2)), shapes: [[7, 2], [7, 3], [5]] },
      ['Exp', 'Multiply', 'Multiply', 'Multiply', 'SplitV', 'Sum'],
    ],
  }
  it('whole numbers stay whole', () =>
    agrees(
      {
        f: (a, b) => {
          const [p, q] = [a!, b!].map((t) => tf.cast(t, 'int32')) as [tf.Tensor, tf.Tensor]
          const pieces = cut(tf.add(tf.concat([p, q], 1), tf.tensor1d([7, 8], 'int32')))
          return told(pieces.map((t) => tf.cast(t, 'float32')) as [tf.Tensor, tf.Tensor])
        },
        shapes: pair,
        constant: true,
      },
      ['onnxruntime'],
    ))
  it('keeps what is read again under the name of a part', () => {
    const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
    const program: Program = {
      values: [
        f32(7, 5),
        f32(5, 2),
        f32(7, 1),
        f32(7, 2),
        f32(7, 3),
        f32(7, 2),
        f32(7, 1),
        f32(7, 1),
        f32(7, 1),
        f32(7, 2),
      ],
      inputs: [0, 1, 2],
      constants: new Map(),
      calls: [
        { kernel: 'BatchMatMul', inputs: [0, 1], attrs: { transposeA: false, transposeB: false }, outputs: [3] },
        { kernel: 'Concat', inputs: [3, 2], attrs: { axis: 1 }, outputs: [4] },
        { kernel: 'SplitV', inputs: [4], attrs: { axis: 1, numOrSizeSplits: [2, 1] }, outputs: [5, 6] },
        { kernel: 'SplitV', inputs: [5], attrs: { axis: 1, numOrSizeSplits: [1, 1] }, outputs: [7, 8] },
        { kernel: 'Exp', inputs: [5], attrs: {}, outputs: [9] },
      ],
      outputs: [6, 7, 8, 9],
    }
    expect(gatherColumns(program).calls).toContainEqual(program.calls[0])
  })
  it.each(Object.entries(cases))('%s, and what the cpu answers', async (_, [own, wanted]) => {
    expect(kernels(own)).toEqual([...wanted].sort())
    await agrees(own, ['onnxruntime'])
  })

  const apart: Readonly<Record<string, readonly [Operation, readonly string[]]>> = {
    'what is read again whole': [
      {
        f: (x, w, b) => {
          const y = tf.add(tf.matMul(x!, w!), b!)
          return tf.add(told(cut(y)), y)
        },
        shapes: net,
      },
      ['Add', 'Dense', 'Exp', 'Multiply', 'SplitV', 'Sum'],
    ],
    'columns of several': [
      { f: (x, w, b) => told(cut(tf.add(tf.matMul(x!, w!), b!), 2)), shapes: [[7, 5], [5, 4], [4]] },
      ['Dense', 'Exp', 'Multiply', 'SplitV', 'Sum'],
    ],
    'a layer of three columns': [
      {
        f: (x, w, b) => {
          const [p, q, r] = tf.split(tf.add(tf.matMul(x!, w!), b!), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor]
          return tf.mul(told([p, q]), r)
        },
        shapes: [[7, 5], [5, 3], [3]],
      },
      ['Dense', 'Exp', 'Multiply', 'Multiply', 'SplitV', 'Sum'],
    ],
    'a layer with ReLU': [
      { f: (x, w, b) => told(cut(tf.relu(tf.add(tf.matMul(x!, w!), b!)))), shapes: net },
      ['Dense', 'Exp', 'Multiply', 'SplitV', 'Sum'],
    ],
    'a concatenation cut elsewhere': [
      { f: (a, b, s) => told(cut(tf.mul(s!, tf.concat([a!, b!], 1)), 2)), shapes: [[7, 1], [7, 3], [4]] },
      ['Concat', 'Exp', 'Multiply', 'Multiply', 'SplitV', 'Sum'],
    ],
    'a norm by a column': [
      { f: (a, b, s) => told(cut(tf.mul(s!, tf.concat([a!, b!], 1)))), shapes: [...pair, [7, 1]] },
      ['Concat', 'Exp', 'Multiply', 'Multiply', 'SplitV', 'Sum'],
    ],
  }
  it.each(Object.entries(apart))('%s stays as it is', async (_, [own, wanted]) => {
    expect(kernels(own)).toEqual([...wanted].sort())
    await agrees(own, ['onnxruntime'])
  })
})
