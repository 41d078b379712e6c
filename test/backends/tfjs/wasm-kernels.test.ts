import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/backends/engine.js'
import { functions, type Operation } from '../../compiler/functions.js'

type Make = () => tf.Tensor | readonly tf.Tensor[]

beforeAll(async () => {
  await ready('cpu')
  await ready('wasm')
})

interface Result {
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

const on = (backend: string, f: Make): readonly Result[] => {
  tf.setBackend(backend)
  return tf.tidy(() => [f()].flat().map((t) => ({ shape: t.shape, values: Array.from(t.dataSync()) }))) as never
}

/** Largest difference over largest magnitude. */
const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((worst, v, i) => Math.max(worst, Object.is(v, b[i]) ? 0 : Math.abs(v - b[i]!)), 0) /
  b.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-3)

const agrees = (f: Make, tolerance = 1e-4): void => {
  const [wasm, cpu] = [on('wasm', f), on('cpu', f)]
  expect(wasm.map(({ shape }) => shape)).toEqual(cpu.map(({ shape }) => shape))
  wasm.forEach(({ values }, i) => {
    expect(distance(values, cpu[i]!.values)).toBeLessThan(tolerance)
  })
}

const noise = (shape: number[], seed = 1): tf.Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed)

/** A function's value and gradient for an arbitrary gradient of the value. */
const withGradient =
  (f: (...xs: tf.Tensor[]) => tf.Tensor, ...shapes: readonly (readonly number[])[]): Make =>
  () => {
    const xs = shapes.map((s, i) => noise([...s], i + 1))
    const y = f(...xs)
    return [y, ...tf.grads(f)(xs, noise(y.shape, 99))]
  }

const whole = ({ f, shapes, constant }: Operation): Make =>
  constant ? () => f(...shapes.map((s, i) => noise([...s], i + 1))) : withGradient(f, ...shapes)

describe('gradients of a convolution on wasm', () => {
  const size = fc.integer({ min: 1, max: 9 })
  const channels = fc.integer({ min: 1, max: 20 })
  const shapes = fc.record({
    batch: fc.integer({ min: 1, max: 5 }),
    height: size,
    width: size,
    kh: fc.constantFrom(1, 3, 5),
    kw: fc.constantFrom(1, 3, 5),
    ci: channels,
    co: channels,
  })

  it('agree with the cpu for any size, with padding "same"', () => {
    fc.assert(
      fc.property(shapes, ({ batch, height, width, kh, kw, ci, co }) => {
        const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')
        agrees(withGradient(conv, [batch, height, width, ci], [kh, kw, ci, co]))
      }),
      { numRuns: 60 },
    )
  })

  it('agree for padding "valid", explicit and lopsided, and for an even filter', () => {
    const conv =
      (pad: 'valid' | 'same' | number) =>
      (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
        tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, pad)
    const lopsided = [
      [0, 0],
      [1, 0],
      [2, 1],
      [0, 0],
    ] as unknown as number
    for (const pad of ['valid', 'same', lopsided] as const) agrees(withGradient(conv(pad), [2, 7, 6, 3], [2, 4, 3, 5]))
    // With a number TensorFlow.js takes the height of the filter for its width, so only a square one works.
    agrees(withGradient(conv(1), [2, 7, 6, 3], [3, 3, 3, 5]))
  })

  it('agree where the padding is wider than the filter reaches', () => {
    const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 2)
    agrees(withGradient(conv, [2, 4, 4, 3], [1, 1, 3, 2]))
  })

  it('agree for a fused bias and activation', () => {
    const conv = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        bias,
        strides: 1,
        pad: 'same',
        activation: 'relu',
      })
    agrees(withGradient(conv, [2, 5, 5, 3], [3, 3, 3, 4], [4]))
  })

  it('name what they do not cover', () => {
    const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'same')
    expect(() => on('wasm', withGradient(conv, [1, 4, 4, 1], [3, 3, 1, 1]))).toThrow(
      /Conv2DBackpropFilter: not supported by the wasm engine with .*"strides":2/,
    )
  })
})

describe('kernels and gradients on wasm agree with the cpu', () => {
  it.each(Object.entries(functions))('%s', (_, operation) => {
    agrees(whole(operation))
  })

  it('at the ends of the range', () => {
    const ends = [-200, -90, -30, -1e-6, -0, 0, 1e-6, 30, 80, 200, Infinity, -Infinity, NaN]
    for (const f of [tf.exp, tf.tanh, tf.sigmoid]) {
      const values = (backend: string): readonly number[] => on(backend, () => f(tf.tensor1d(ends)))[0]!.values
      values('wasm').forEach((v, i) => {
        const expected = values('cpu')[i]!
        if (Number.isFinite(expected))
          expect(Math.abs(v - expected)).toBeLessThanOrEqual(1e-6 * Math.abs(expected) + 1e-37)
        else expect(v).toBe(expected)
      })
    }
  })
})

describe('kernels on wasm', () => {
  it('multiply by the same data under another shape', () => {
    agrees(() => {
      const [w, a, b] = [noise([1, 64]), noise([5, 1], 2), noise([5, 64], 3)] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]
      const folded: tf.Tensor2D = tf.reshape(w, [8, 8])
      return [tf.matMul(a, w), tf.matMul(b, w, false, true), tf.matMul(folded, folded), tf.matMul(a, w)]
    })
  })

  it('do not lose what is not finite in a sum', () => {
    const sums = (value: number): readonly number[] =>
      on('wasm', () => {
        const x = tf.concat([tf.zeros([40, 8]), tf.fill([1, 8], value), tf.ones([30, 8])])
        return [tf.sum(x, 0), tf.mean(x, 0), tf.sum(x), tf.mean(x)]
      }).flatMap(({ values }) => values)
    for (const value of [NaN, Infinity, -Infinity]) for (const v of sums(value)) expect(v).toBe(value)
  })

  it('read one filter under several shapes', () => {
    agrees(() => {
      const w = noise([36])
      const conv = (h: number, k: [number, number, number, number]): tf.Tensor =>
        tf.conv2d(noise([2, h, h, k[2]]) as tf.Tensor4D, tf.reshape(w, k), 1, 'same')
      return [
        conv(5, [3, 3, 2, 2]),
        conv(5, [3, 3, 1, 4]),
        conv(5, [3, 1, 3, 4]),
        conv(5, [1, 3, 3, 4]),
        conv(4, [1, 1, 6, 6]),
      ]
    })
  })
})

describe('gradients', () => {
  it('agree with finite differences', () => {
    tf.setBackend('cpu')
    const near = (f: (x: tf.Tensor) => tf.Tensor, x: number): void => {
      const h = 1e-2
      const at = (v: number): number => f(tf.scalar(v)).dataSync()[0]!
      const slope = (8 * (at(x + h) - at(x - h)) - (at(x + 2 * h) - at(x - 2 * h))) / (12 * h)
      expect(Math.abs(tf.grad(f)(tf.scalar(x)).dataSync()[0]! - slope)).toBeLessThan(2e-3)
    }
    for (const f of [tf.exp, tf.expm1, tf.tanh, tf.sigmoid, tf.softplus, tf.elu, tf.erf, tf.square, tf.sin, tf.cos])
      for (const x of [-1.3, -0.4, 0.7]) near(f, x)
    for (const f of [tf.log, tf.log1p, tf.sqrt, tf.rsqrt, tf.reciprocal, tf.atan, tf.abs]) near(f, 0.9)
    near((x) => tf.pow(x, 3), 0.8)
    near((x) => tf.pow(2, x), 0.8)
    near((x) => tf.logSumExp(tf.stack([x, tf.mul(x, x), tf.scalar(1)])), 0.8)
  })

  it('are themselves differentiable', () => {
    const second = tf.grad((x) => tf.grad((y) => tf.mul(tf.square(y), y))(x))
    expect(second(tf.scalar(2)).dataSync()[0]).toBeCloseTo(12, 4)
  })
})

describe('memory', () => {
  it('does not grow', () => {
    const make = Object.values(functions).map(whole)
    const counts = (): readonly number[] => [tf.memory().numTensors, tf.memory().numDataBuffers]
    const conv = withGradient(
      (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
      [2, 5, 5, 3],
      [3, 3, 3, 4],
    )
    tf.setBackend('wasm')
    const before = counts()
    const dataIds = tf.engine().backend.numDataIds()
    for (const f of [...make, conv, conv]) on('wasm', f)
    expect(counts()).toEqual(before)
    expect(tf.engine().backend.numDataIds()).toBe(dataIds)
  })
})
