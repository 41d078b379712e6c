import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { randomBatch, randomParams } from 'diffeo/laws'
import { type AnyTensor, initialise, type Params, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { conv, convSpec, normalise, normSpec } from '../../src/nn/conv.js'
import { trust } from '../../src/tensor/tensor.js'
import { agreesWithDifferences } from '../gradients.js'
import { values } from '../support.js'

/** The values of each channel, over batch and positions. */
const channels = (x: AnyTensor): readonly (readonly number[])[] => {
  const c = unwrap(x).shape.at(-1)!
  return Array.from({ length: c }, (_, k) => values(x).filter((_, i) => i % c === k))
}
const meanOf = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length
const varianceOf = (v: readonly number[]) => meanOf(v.map((a) => (a - meanOf(v)) ** 2))
const batchOf = (seed: number, n = 4) => randomBatch([3, 3, 2], [1, 4], n, key(seed))

describe('normalise', () => {
  it('batch: mean 0 and variance 1 over batch and positions, whatever the running statistics', () => {
    tf.tidy(() => {
      const start = initialise(normSpec('batch', 2), key(0))
      expect([values(start['mean'] as AnyTensor), values(start['variance'] as AnyTensor)]).toEqual([
        [0, 0],
        [1, 1],
      ])
      const [y] = normalise('batch', start, true)(batchOf(1))
      for (const values of channels(y)) {
        expect(meanOf(values)).toBeCloseTo(0, 4)
        expect(varianceOf(values)).toBeCloseTo(1, 4)
      }
    })
  })
  it('batch: a twentieth of the batch’s mean and biased variance goes into the running ones', () => {
    tf.tidy(() => {
      const params = randomParams(normSpec('batch', 2), key(2))
      const x = batchOf(3)
      const [, next] = normalise('batch', params, true)(x)
      channels(x).forEach((v, c) => {
        const mixed = (leaf: string, now: number) => 0.95 * values(params[leaf])[c]! + 0.05 * now
        expect(values(next['mean'])[c]).toBeCloseTo(mixed('mean', meanOf(v)), 5)
        expect(values(next['variance'])[c]).toBeCloseTo(mixed('variance', varianceOf(v)), 5)
      })
    })
  })
  it('batch, in evaluation: (x − μ)/√(σ² + ε)·γ + β with the running statistics', () => {
    tf.tidy(() => {
      const params = randomParams(normSpec('batch', 2), key(4))
      const x = batchOf(5)
      const [y, next] = normalise('batch', params, false)(x)
      expect(next).toBe(params)
      const p = (leaf: string, c: number) => values(params[leaf])[c]!
      const after = channels(y)
      channels(x).forEach((v, c) => {
        v.forEach((a, i) => {
          const expected = ((a - p('mean', c)) / Math.sqrt(p('variance', c) + 1e-5)) * p('gain', c) + p('bias', c)
          expect(after[c]![i]).toBeCloseTo(expected, 4)
        })
      })
    })
  })
  it('instance: mean 0 and variance 1 over the positions of each example, in training and evaluation', () => {
    tf.tidy(() => {
      const start = initialise(normSpec('instance', 2), key(6))
      const x = batchOf(7)
      const [y] = normalise('instance', start, true)(x)
      expect(values(normalise('instance', start, false)(x)[0])).toEqual(values(y))
      for (const one of tf.split(unwrap(y), 4))
        for (const v of channels(one as never)) {
          expect(meanOf(v)).toBeCloseTo(0, 4)
          expect(varianceOf(v)).toBeCloseTo(1, 3)
        }
    })
  })
  it.each([
    ['batch', true],
    ['batch', false],
    ['instance', true],
  ] as const)('%s, training %s: has the gradients that differences give', (norm, train) => {
    tf.tidy(() => {
      const params = randomParams(normSpec(norm, 2), key(12))
      const f = (x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
        unwrap(normalise(norm, { ...params, gain: trust(gain), bias: trust(bias) }, train)(trust(x))[0])
      const at = [batchOf(13), params['gain'] as AnyTensor, params['bias'] as AnyTensor].map(unwrap)
      agreesWithDifferences(f as (...xs: tf.Tensor[]) => tf.Tensor, at)
    })
  })
  it('none: the value itself', () => {
    tf.tidy(() => {
      const x = batchOf(8)
      const params: Params = {}
      expect(normalise('none', params, true)(x)).toEqual([x, params])
    })
  })
  it('a channel that is constant stays finite', () => {
    tf.tidy(() => {
      for (const norm of ['batch', 'instance'] as const) {
        const start = initialise(normSpec(norm, 2), key(9))
        const [y] = normalise(norm, start, true)(randomBatch([3, 3, 2], [2, 2], 2, key(10)))
        expect(values(y).every((v) => Math.abs(v) < 1e-2)).toBe(true)
      }
    })
  })
})

describe('convSpec', () => {
  const shape = [3, 3, 2, 4]
  const start = (options?: Parameters<typeof convSpec>[3]) =>
    Object.fromEntries(
      Object.entries(convSpec(3, 2, 4, options)).map(([name, { shape, start }]) => [name, [shape, start]]),
    )
  const noise = [shape, { normal: Math.sqrt(2 / 18) }]
  const bias = [[4], { constant: 0 }]
  it('has a gain of 1 for each channel, or of 0 where the convolution starts at 0', () => {
    expect(start()).toEqual({ kernel: noise, bias, gain: [[4], { constant: 1 }] })
    expect(start({ zero: true })).toEqual({ kernel: noise, bias, gain: [[4], { constant: 0 }] })
  })
  it('without weight norm has none, and a kernel of 0 where the convolution starts at 0', () => {
    expect(start({ weightNorm: false })).toEqual({ kernel: noise, bias })
    expect(start({ weightNorm: false, zero: true })).toEqual({ kernel: [shape, { constant: 0 }], bias })
  })
})

describe('normSpec', () => {
  const names = (norm: Parameters<typeof normSpec>[0]) => Object.keys(normSpec(norm, 3))
  it('has statistics for batch norm alone, and nothing without a norm', () => {
    expect(names('batch')).toEqual(['gain', 'bias', 'mean', 'variance'])
    expect(names('instance')).toEqual(['gain', 'bias'])
    expect(names('none')).toEqual([])
  })
})

describe('conv', () => {
  it('without a gain uses the kernel as it is', () => {
    tf.tidy(() => {
      const params = randomParams(convSpec(3, 2, 4, { weightNorm: false }), key(20))
      const [kernel, bias] = [params['kernel'], params['bias']].map((t) => unwrap(t as AnyTensor))
      const x = batchOf(21)
      const wanted = tf.add(tf.conv2d(unwrap(x) as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same'), bias!)
      expect(values(conv(params)(x))).toEqual([...wanted.dataSync()])
    })
  })
  it('starts with the variance 2 / what a position sees, and is finite where a kernel is 0', () => {
    tf.tidy(() => {
      const { kernel, ...rest } = initialise(convSpec(3, 20, 50), key(14))
      const weights = values(kernel as AnyTensor)
      expect(weights.reduce((s, v) => s + v * v, 0) / weights.length).toBeCloseTo(2 / 180, 3)
      const none = { ...rest, kernel: trust(tf.zerosLike(unwrap(kernel as AnyTensor))) as AnyTensor }
      expect(values(conv(none)(randomBatch([3, 3, 20], [1, 4], 1, key(15)))).every((v) => v === 0)).toBe(true)
    })
  })
  it('with weight norm uses a kernel of length |gain| for each channel', () => {
    tf.tidy(() => {
      const params = randomParams(convSpec(3, 2, 4), key(11))
      // a single 1 in the middle of a 3×3 image reads off the kernel, turned around
      const kernel = tf.concat(
        [0, 1].map((channel) => {
          const pulse = tf.oneHot(tf.tensor1d([4 * 2 + channel], 'int32'), 18)
          const [y] = [conv(params)(tf.cast(tf.reshape(pulse, [1, 3, 3, 2]), 'float32') as never)]
          return tf.sub(unwrap(y), unwrap(params['bias'] as AnyTensor))
        }),
        1,
      )
      const length = tf.sqrt(tf.sum(tf.square(tf.reshape(kernel, [-1, 4])), 0))
      const gains = values(params['gain']).map(Math.abs)
      Array.from(length.dataSync()).forEach((v, i) => {
        expect(v).toBeCloseTo(gains[i]!, 4)
      })
    })
  })
})
