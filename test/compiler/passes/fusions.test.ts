import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { describe, expect, it } from 'vitest'
import { passes } from '../../../src/backends/tensorflow/pipeline.js'
import { runPasses } from '../../../src/compiler/pipeline.js'
import type { Program } from '../../../src/compiler/program.js'
import { trace } from '../../../src/compiler/trace.js'

const fused = (program: Program): Program => runPasses('tensorflow', passes, program)

describe('a program for TensorFlow', () => {
  const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
  it.each([
    ['images', float(2, 4, 4, 3)],
    ['matrices', float(7, 3)],
  ])('has one operation for a bias, a gradient of a ReLU and a sum of %s', async (_, large) => {
    await ready('cpu')
    const made = (f: (given: tf.Tensor[]) => tf.Tensor): readonly string[] =>
      fused(trace((given) => [f(given)], [large, large, large, float(3)])).calls.map(({ kernel }) => kernel)
    expect(made(([x, , , a]) => tf.add(x!, a!))).toEqual(['BiasAdd'])
    expect(made(([x, y]) => tf.mul(tf.step(x!), y!))).toEqual(['ReluGrad'])
    expect(made(([x, y, z]) => tf.add(tf.add(x!, y!), z!))).toEqual(['AddN'])
    expect(made(([x]) => tf.sum(x!, [0, 1, 2].slice(0, x!.rank - 1)))).toEqual(['BiasAddGrad'])
    expect(made(([x]) => tf.sum(x!, -1))).toEqual(['Sum'])
    // of one image by position, not by channel
    expect(made(([x, y]) => tf.mul(tf.leakyRelu(x!), y!))).toEqual(['LeakyRelu', 'Multiply'])
  })
  it('has one operation for a scale by channel with a shift', async () => {
    await ready('cpu')
    const made = (x: { readonly shape: number[]; readonly dtype: 'float32' }): readonly string[] =>
      fused(trace(([y, a, b]) => [tf.add(tf.mul(y!, a!), b!)], [x, float(3), float(3)])).calls.map((c) => c.kernel)
    expect(made(float(2, 4, 4, 3))).toEqual(['ScaleShift'])
    expect(made(float(7, 3))).toEqual(['Multiply', 'BiasAdd'])
  })
})
