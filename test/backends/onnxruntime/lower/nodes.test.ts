import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { ready } from 'diffeo/engine'
import { normalArray } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { jit } from '../../../../src/jit.js'
import { distance } from '../../../compiler/agree.js'

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

describe('sums of many numbers, compiled by onnxruntime', () => {
  // 10007 and 2·10007 have no divisor near their root
  const cases: readonly (readonly [shape: readonly number[], axes: readonly number[]])[] = [
    [[1 << 20], [0]],
    [[10007], [0]],
    [
      [2, 10007, 3],
      [0, 1],
    ],
    [
      [16, 32, 32, 2],
      [0, 1, 2],
    ],
    [
      [16, 32, 32, 2],
      [0, 1, 2, 3],
    ],
    [[4, 3000, 5], [1]],
  ]
  it.each(cases)('of %j over %j are exact to a few units in the last place', async (shape, axes) => {
    await ready('onnxruntime')
    // positive numbers: added up one after another they lose a digit or two
    const x = tf.tensor(normalArray(key(1), size(shape)).map(Math.abs), [...shape])
    const own = [...axes]
    const run = jit((t: tf.Tensor) => [tf.sum(t, own), tf.mean(t, own, true)])
    const out = await run(x)
    const rest = shape.map((n, i) => (axes.includes(i) ? 1 : n))
    const wanted = new Float64Array(size(rest))
    x.dataSync().forEach((v, flat) => {
      let [at, left] = [0, flat]
      shape.forEach((_, i) => {
        const below = size(shape.slice(i + 1))
        at = at * rest[i]! + (axes.includes(i) ? 0 : Math.floor(left / below))
        left %= below
      })
      wanted[at]! += v
    })
    const count = size(shape) / wanted.length
    expect(out.map((t) => t.shape)).toEqual([shape.filter((_, i) => !axes.includes(i)), rest])
    expect(distance(out[0]!.dataSync(), wanted)).toBeLessThan(1e-6)
    expect(
      distance(
        out[1]!.dataSync(),
        wanted.map((v) => v / count),
      ),
    ).toBeLessThan(1e-6)
    tf.dispose([x, out])
    await run.dispose()
  })
})
