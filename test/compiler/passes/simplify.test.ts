import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { lowerProgram } from '../../../src/backends/onnxruntime/lower/program.js'
import { callOf } from '../../../src/compiler/call.js'
import { ALL_REDUCE } from '../../../src/compiler/operations.js'
import { simplify } from '../../../src/compiler/passes/simplify.js'
import type { Program, ValueInfo } from '../../../src/compiler/program.js'
import { trace } from '../../../src/compiler/trace.js'
import { agrees, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

const operation = (f: Operation['f'], ...shapes: number[][]): Operation => ({ f, shapes, constant: true })
const [matrix, other, column] = [
  [6, 4],
  [6, 3],
  [6, 1],
]
const joined = (...parts: tf.Tensor[]): tf.Tensor => tf.concat(parts, 1)
const total = (...parts: tf.Tensor[]): tf.Tensor => parts.map((t) => tf.sum(t)).reduce((a, b) => tf.add(a, b))

type Case = readonly [what: string, operation: Operation, kernels: readonly string[]]

describe('a program', () => {
  const cases: readonly Case[] = [
    [
      'cuts a part of what was put together from the part',
      operation((a, b) => tf.exp(tf.slice(joined(a!, b!), [0, 5], [6, 2])), matrix, other),
      ['Slice', 'Exp'],
    ],
    [
      'takes a whole part as it is',
      operation((a, b) => tf.exp(tf.slice(joined(a!, b!), [0, 4], [6, 3])), matrix, other),
      ['Exp'],
    ],
    [
      'puts together what is cut out of two parts',
      operation((a, b) => tf.exp(tf.slice(joined(a!, b!), [0, 3], [6, 2])), matrix, other),
      ['Concat', 'Slice', 'Exp'],
    ],
    [
      'cuts parts anew where the cuts are others',
      operation(
        (a, b) => total(...tf.split(joined(a!, b!), [1, 3, 3], 1).map((t, i) => tf.mul(t, i + 1))),
        matrix,
        other,
      ),
      ['Slice', 'Slice', 'Sum', 'Sum', 'Multiply', 'Sum', 'Multiply', 'Add', 'Add'],
    ],
    [
      'puts together what is cut across',
      operation((a, b) => total(...tf.split(joined(a!, b!), [3, 4], 1).map((t) => tf.exp(t))), matrix, other),
      ['Concat', 'SplitV', 'Exp', 'Exp', 'Sum', 'Sum', 'Add'],
    ],
    [
      'reduces nothing along axes of size 1',
      operation((a) => tf.add(tf.add(tf.sum(a!, 1), tf.max(a!, 1)), tf.mean(a!, 1)), column),
      ['Reshape', 'Add', 'Add'],
    ],
    [
      'keeps a number that is repeated as one number',
      operation((a) => tf.grad((x: tf.Tensor) => tf.mean(tf.exp(x)))(a!), matrix),
      ['Exp', 'Multiply'],
    ],
    [
      'adds up and moves what is one number throughout without making it',
      operation((a) => tf.mul(a!, tf.sum(tf.transpose(tf.mul(tf.fill([300, 500], 0.25), 2)), 0)), [6, 300]),
      ['Multiply'],
    ],
    [
      'shares products between x·eˢ and its gradients by x and by s',
      operation(
        (x, s, g) => {
          const scaled = (a: tf.Tensor, b: tf.Tensor) => tf.mul(a, tf.exp(b))
          return joined(scaled(x!, s!), ...tf.grads(scaled)([x!, s!], g!))
        },
        matrix,
        matrix,
        matrix,
      ),
      ['Exp', 'Multiply', 'Multiply', 'Multiply', 'Concat'],
    ],
    [
      'turns once where it is turned twice',
      operation((a) => tf.exp(tf.transpose(tf.transpose(a!, [1, 2, 0]), [1, 2, 0])), [3, 3, 3]),
      ['Transpose', 'Exp'],
    ],
    ['keeps a sign that makes a difference', operation((a) => tf.exp(tf.neg(a!)), matrix), ['Neg', 'Exp']],
    [
      'tells constants of the same numbers apart by their shapes',
      operation(
        (a, b) =>
          total(
            tf.mul(
              a!,
              tf.tensor2d([
                [1, 2],
                [3, 4],
              ]),
            ),
            tf.mul(b!, tf.tensor1d([1, 2, 3, 4])),
          ),
        [2, 2],
        [4],
      ),
      ['Multiply', 'Multiply', 'Sum', 'Sum', 'Add'],
    ],
    ['keeps 0 − x', operation((a) => tf.exp(tf.sub(0, a!)), matrix), ['Sub', 'Exp']],
    ['multiplies once by two numbers', operation((a) => tf.mul(tf.mul(a!, 2), 3), matrix), ['Multiply']],
    [
      'in a second round finds that two ways come to the same',
      operation((a) => tf.sub(tf.exp(tf.mul(tf.mul(a!, 2), 3)), tf.mul(tf.mul(a!, 3), 2)), matrix),
      ['Multiply', 'Exp', 'Sub'],
    ],
    [
      'but not integers by numbers of another type',
      operation((a) => {
        const n = tf.mul(tf.mul(tf.cast(tf.round(a!), 'int32'), tf.scalar(2, 'int32')), tf.scalar(3, 'int32'))
        return tf.cast(n, 'float32')
      }, matrix),
      ['Round', 'Cast', 'Multiply', 'Multiply', 'Cast'],
    ],
    [
      'but not where one adds a dimension',
      operation((a) => tf.mul(tf.mul(a!, tf.tensor2d([[2]])), 3), [4]),
      ['Multiply', 'Multiply'],
    ],
    ['makes nothing of 0·x', operation((a) => tf.mul(tf.exp(a!), tf.zerosLike(a!)), matrix), ['Fill']],
    [
      'scales a sum and not what is summed',
      operation((a, b) => tf.sum(tf.mul(a!, b!), 1), matrix, column),
      ['Sum', 'Reshape', 'Multiply'],
    ],
    [
      'but not by what varies along it',
      operation((a, b) => tf.sum(tf.mul(a!, b!), 1), [4, 4], [4]),
      ['Multiply', 'Sum'],
    ],
    [
      'nor by what is repeated beside it',
      operation((a, b) => tf.sum(tf.mul(a!, b!), 0), [2, 3, 4], [3, 1]),
      ['Multiply', 'Sum'],
    ],
    [
      'knows the mean of what is centred',
      operation((a) => tf.exp(tf.sum(tf.sub(a!, tf.mean(a!, 0)), 0)), matrix),
      ['Fill'],
    ],
    ...(
      [
        ['by the mean of another', (a, b) => tf.sum(tf.sub(a!, tf.mean(b!, 0)), 0)],
        ['along another axis', (a) => tf.sum(tf.sub(a!, tf.mean(a!, 1, true)), 0)],
        ['by a mean that lies across', (a) => tf.sum(tf.sub(a!, tf.mean(a!, 1)), 1)],
      ] as [string, Operation['f']][]
    ).map(
      ([how, f]): Case => [`but not of what is centred ${how}`, operation(f, [4, 4], [4, 4]), ['Mean', 'Sub', 'Sum']],
    ),
    [
      'repeats what was computed of the smaller, and only where it has to',
      operation(
        (a, b) => joined(tf.exp(tf.mul(a!, tf.ones([6, 4]))), tf.sub(b!, tf.mul(a!, tf.ones([6, 4])))),
        column,
        matrix,
      ),
      ['Exp', 'Fill', 'Multiply', 'Sub', 'Concat'],
    ],
    [
      'puts side by side what is padded for it',
      operation(
        (a, b) =>
          tf.add(
            tf.pad(a!, [
              [0, 0],
              [0, 3],
            ]),
            tf.pad(b!, [
              [0, 0],
              [4, 0],
            ]),
          ),
        matrix,
        other,
      ),
      ['Concat'],
    ],
    ...(
      [
        [
          'with other numbers than 0',
          matrix,
          [
            [0, 0],
            [0, 3],
          ],
          [
            [0, 0],
            [4, 0],
          ],
          1,
        ],
        [
          'so that it overlaps',
          matrix,
          [
            [0, 0],
            [0, 3],
          ],
          [
            [0, 0],
            [3, 1],
          ],
          0,
        ],
        [
          'and repeated',
          [1, 4],
          [
            [0, 0],
            [3, 0],
          ],
          [
            [0, 0],
            [0, 4],
          ],
          0,
        ],
      ] as [string, number[], [number, number][], [number, number][], number][]
    ).map(
      ([how, shape, p, q, value]): Case => [
        `but not what is padded ${how}`,
        operation((a, b) => tf.add(tf.pad(a!, p, value), tf.pad(b!, q, value)), shape, other),
        ['PadV2', 'PadV2', 'Add'],
      ],
    ),
    [
      'takes neighbouring pieces of a vector as one',
      operation((a) => tf.exp(tf.concat(tf.split(a!, [1, 2, 3]).slice(1))), [6]),
      ['Slice', 'Exp'],
    ],
    [
      'but not in another order',
      operation((a) => tf.exp(tf.concat(tf.split(a!, [1, 2, 3]).reverse())), [6]),
      ['SplitV', 'Concat', 'Exp'],
    ],
    [
      'cuts along another axis than it was put together',
      operation((a, b) => total(...tf.split(joined(a!, b!), [2, 4], 0).map((t) => tf.exp(t))), matrix, other),
      ['Concat', 'SplitV', 'Exp', 'Exp', 'Sum', 'Sum', 'Add'],
    ],
  ]
  it.each(cases)('%s', async (_, own, wanted) => {
    expect(kernelsOf(programOf(own))).toEqual(wanted)
    await agrees(own, ['cpu', 'onnxruntime'])
  })
})

describe('simplify', () => {
  const kernels = (program: Program) => simplify(program).calls.map(({ kernel }) => kernel)
  it('leaves to the workers what they add up, though each has the same number', () => {
    const values: ValueInfo[] = [0, 1, 2].map(() => ({ shape: [2], dtype: 'float32' }))
    const constants = new Map([[0, Float32Array.of(1, 2)]])
    const sum = callOf(ALL_REDUCE, [0], [1], { workers: 2, instance: 0 })
    const twice = callOf('Add', [0, 0], [2])
    expect(kernels({ values, inputs: [], constants, calls: [sum, twice], outputs: [1, 2] })).toEqual([ALL_REDUCE])
  })
  it.each([
    [65_536, []],
    [65_537, ['Exp']],
  ])('computes a constant of %d numbers beforehand, or leaves it to the engine', (n, wanted) => {
    // not all the same number: that would be one of them, repeated
    const program = trace(() => [tf.exp(tf.tensor1d(Float32Array.from({ length: n }, (_, i) => i % 3)))], [])
    expect(kernels(program)).toEqual(wanted)
  })
})

describe('the runtime', () => {
  const text = new TextDecoder('latin1')
  const has = (op: string, { f, shapes }: Operation): boolean =>
    text.decode(lowerProgram(programOf({ f, shapes })).encode()).includes(`"${String.fromCharCode(op.length)}${op}`)
  type Told = readonly [what: string, operation: Operation, made: readonly string[], avoided: readonly string[]]
  const cases: readonly Told[] = [
    [
      'adds up several vectors at once',
      operation((a, b, c) => tf.add(tf.add(tf.sum(a!, 1), tf.exp(c!)), tf.sum(b!, 1)), matrix, other, [6]),
      ['Sum'],
      ['Add'],
    ],
    [
      'adds up two where the sum is read again',
      operation(
        (a, b) => {
          const sum = tf.add(a!, b!)
          return tf.add(tf.mul(sum, sum), a!)
        },
        matrix,
        matrix,
      ),
      ['Add'],
      ['Sum'],
    ],
    ['adds up rows by a product with ones', operation((a) => tf.sum(a!, 0), matrix), ['MatMul'], ['ReduceSum']],
    ['and takes their mean so', operation((a) => tf.mean(a!, 0), matrix), ['MatMul'], ['ReduceMean']],
    ['but not that of columns', operation((a) => tf.sum(a!, 1), matrix), ['ReduceSum'], ['MatMul']],
  ]
  it.each(cases)('%s', async (_, own, made, avoided) => {
    expect({ made: made.filter((op) => has(op, own)), avoided: avoided.filter((op) => has(op, own)) }).toEqual({
      made,
      avoided: [],
    })
    await agrees(own, ['onnxruntime'])
  })
})
