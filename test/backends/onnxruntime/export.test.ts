/** What `toOnnx` writes: names that collide with those inside, sizes that are the traced batch, and what it refuses. */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException } from 'diffeo'
import { type OnnxFunction, ready, toOnnx, toOnnxSampler } from 'diffeo/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runOnnx } from '../../../src/backends/onnxruntime/backend.js'

beforeAll(() => ready('onnxruntime'))
afterAll(() => ready('cpu'))

const any = (u: unknown) => u as never
const x = { name: 'x', shape: [2] }

it.each<[name: string, output: string]>([
  ['v0', 'y'],
  ['c0', 'v0'],
  ['x', 'c1'],
  ['v1', 'v0'],
])('input %s and output %s are not confused with values inside', async (name, output) => {
  const model = toOnnx({
    inputs: [{ name, shape: [2] }],
    outputs: [output],
    run: ([t]) => [tf.add(tf.exp(tf.neg(t!)), 3)],
  })
  const results = await (await runOnnx(model))([{ name, shape: [1, 2], data: Float32Array.of(0, 1) }])
  expect(Object.keys(results)).toEqual([output])
  expect([...results[output]!].map((v) => v.toFixed(4))).toEqual(['4.0000', '3.3679'])
})

it.each([7919, 2 * 7919, 7919 * 7])('an axis of %d stays what it is', async (size) => {
  const model = toOnnx({
    inputs: [{ name: 'x', shape: [size] }],
    outputs: ['y'],
    run: ([t]) => [tf.tile(tf.sum(t!, 1, true), [1, size])],
  })
  const data = new Float32Array(3 * size).fill(1)
  const { y } = await (await runOnnx(model))([{ name: 'x', shape: [3, size], data }])
  expect(y!.length).toBe(3 * size)
})

it('a constant that is the same for every example stays one for any batch', async () => {
  const row = tf.tensor([1, 2], [1, 2])
  const run: OnnxFunction['run'] = ([t]) => [tf.add(t!, tf.tile(row, [t!.shape[0]!, 1]))]
  const results = await runOnnx(toOnnx({ inputs: [x], outputs: ['y'], run }))
  for (const n of [1, 3]) {
    const { y } = await results([{ name: 'x', shape: [n, 2], data: new Float32Array(2 * n) }])
    expect([...y!]).toEqual(Array.from({ length: n }, () => [1, 2]).flat())
  }
})

describe('is refused', () => {
  const run: OnnxFunction['run'] = ([t]) => [tf.exp(t!)]
  it.each<[f: unknown, sentence: string]>([
    [{}, 'toOnnx: expected inputs and outputs with names'],
    [{ inputs: [x], outputs: [3], run }, 'toOnnx: expected inputs and outputs with names'],
    [{ inputs: [{ shape: [2] }], outputs: ['y'], run }, 'toOnnx: expected inputs and outputs with names'],
    [{ inputs: [{ name: '', shape: [2] }], outputs: ['y'], run }, 'toOnnx: expected inputs and outputs with names'],
    [{ inputs: [{ name: 'x', shape: [1.5] }], outputs: ['y'], run }, "a shape of whole numbers for 'x', got 1.5"],
    [{ inputs: [{ name: 'x', shape: 2 }], outputs: ['y'], run }, "a shape of whole numbers for 'x', got 2"],
    [{ inputs: [x, x], outputs: ['y'], run }, "toOnnx: expected names that differ, got 'x' twice"],
    [{ inputs: [x], outputs: ['y', 'y'], run }, "toOnnx: expected names that differ, got 'y' twice"],
    [{ inputs: [x], outputs: ['x'], run }, "toOnnx: expected names that differ, got 'x' twice"],
    [{ inputs: [x], outputs: [], run }, 'toOnnx: expected 0 results, one for each name, got 1'],
    [{ inputs: [x], outputs: ['a', 'b'], run }, 'toOnnx: expected 2 results, one for each name, got 1'],
    [{ inputs: [x], outputs: ['y'], run: ([t]: tf.Tensor[]) => tf.exp(t!) }, 'got one that returns a tensor'],
    [{ inputs: [x], outputs: ['y'], run: () => undefined }, 'got one that returns undefined'],
    [{ inputs: [x], outputs: ['y'], run: () => [3] }, 'toOnnx: expected a function that returns a list of tensors'],
  ])('%#', (f, sentence) => {
    expect(() => toOnnx(any(f))).toThrow(sentence)
    expect(() => toOnnx(any(f))).toThrow(DiffeoException)
  })
  it('a constant that differs from example to example', () => {
    const each = tf.range(0, 7919) // as many as stand for the batch while a function is traced
    const run: OnnxFunction['run'] = ([t]) => [tf.add(t!, each)]
    expect(() => toOnnx({ inputs: [{ name: 'x', shape: [] }], outputs: ['y'], run })).toThrow(
      'toOnnx: expected constants that are the same for every example, got one that differs; pass it as an input',
    )
  })
  it('an output with the name of an input of the sampler', () => {
    expect(() => toOnnxSampler({ inputs: [x], outputs: ['n'], run })).toThrow("names that differ, got 'n' twice")
  })
})
