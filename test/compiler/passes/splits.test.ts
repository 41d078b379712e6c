import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Call, callOf } from '../../../src/compiler/call.js'
import { gatherSlices } from '../../../src/compiler/passes/splits.js'
import type { Program } from '../../../src/compiler/program.js'
import { agrees, kernelsOf, programOf } from '../agree.js'
import type { Operation } from '../functions.js'

beforeAll(async () => {
  await ready('cpu')
})

/** The columns of a matrix from the first of each pair to the second, told apart, and added up. */
const cut = (...ends: readonly (readonly [number, number])[]): Operation => ({
  f: (x) => tf.addN(ends.map(([from, to], i) => tf.mul(tf.sum(tf.slice(x!, [0, from], [4, to - from]), 1), i + 1))),
  shapes: [[4, 6]],
})

describe('slices of one value', () => {
  const count = (own: Operation, kernel: string): number =>
    kernelsOf(gatherSlices(programOf(own))).filter((name) => name === kernel).length
  it('are one split where they cover it, in whatever order', async () => {
    for (const own of [cut([0, 2], [2, 6]), cut([4, 6], [0, 1], [1, 4])]) {
      expect([count(own, 'SplitV'), count(own, 'Slice')]).toEqual([1, 0])
      await agrees(own, ['onnxruntime'])
    }
  })
  it('stay as they are with a gap, or one over the other', async () => {
    for (const own of [cut([0, 2], [3, 6]), cut([0, 4], [2, 6]), cut([0, 2], [2, 5])]) {
      expect([count(own, 'SplitV'), count(own, 'Slice')]).toEqual([0, 2])
      await agrees(own, ['onnxruntime'])
    }
  })
  it('are compared in a time that grows with their number, not with its square', () => {
    const slices = 400
    let looks = 0
    const call = (i: number): Call => {
      const attrs = {
        get begin() {
          looks += 1
          return [2 * i]
        },
        size: [1],
      }
      return callOf('Slice', [0], [i + 1], attrs)
    }
    const program: Program = {
      values: [[2 * slices], ...Array<number[]>(slices).fill([1])].map((shape) => ({ shape, dtype: 'float32' })),
      inputs: [0],
      constants: new Map(),
      calls: Array.from({ length: slices }, (_, i) => call(i)),
      outputs: Array.from({ length: slices }, (_, i) => i + 1),
    }
    expect(kernelsOf(gatherSlices(program))).toEqual(Array(slices).fill('Slice'))
    expect(looks).toBeLessThan(10 * slices)
  })
})
