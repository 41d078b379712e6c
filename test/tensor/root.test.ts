import * as tf from '@tensorflow/tfjs-core'
import { jit, ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Rising, risingRoot } from '../../src/tensor/root.js'

beforeAll(async () => {
  await ready('cpu')
})

/** x + ax³ and log of its slope. */
const cubic =
  (a: tf.Tensor): Rising =>
  (x) => [tf.add(x, tf.mul(a, tf.mul(x, tf.square(x)))), () => tf.log(tf.add(1, tf.mul(tf.mul(a, 3), tf.square(x))))]
const half = () => tf.scalar(0.5)
const xs = [-4, -1.7, -0.2, 0, 1e-3, 0.9, 3.3, 4]
const ys = xs.map((x) => x + 0.5 * x ** 3)
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((v, i) => Math.abs(v - b[i]!) / (1 + Math.abs(b[i]!))))
const between = (f: Rising, y: tf.Tensor, low = -5, high = 6) => risingRoot(f, y, tf.scalar(low), tf.scalar(high))

describe('the root of a rising function', () => {
  it('is where the function has the value, to the rounding of float32', () => {
    tf.tidy(() => {
      const found = [...between(cubic(half()), tf.tensor1d(ys)).dataSync()]
      const errors = found.map((x, i) => Math.abs(x - xs[i]!) / (1 + Math.abs(xs[i]!)))
      expect(Math.max(...errors)).toBeLessThan(2 ** -22)
    })
  })

  it('takes a bracket for each value, also one without width', () => {
    tf.tidy(() => {
      const low = tf.tensor1d(xs.map((x, i) => x - i))
      const found = risingRoot(cubic(half()), tf.tensor1d(ys), low, tf.tensor1d(xs))
      expect(apart([...found.dataSync()], xs)).toBeLessThan(1e-6)
    })
  })

  it('is exact beyond the bracket where the function goes on as a straight line', () => {
    tf.tidy(() => {
      const line: Rising = (x) => {
        const inner = tf.clipByValue(x, -1, 1)
        const [y, logSlope] = cubic(half())(inner)
        return [tf.add(y, tf.mul(tf.exp(logSlope()), tf.sub(x, inner))), logSlope]
      }
      const found = between(line, tf.tensor1d([1.5 + 2.5 * 99, -1.5 - 2.5 * 9]), -1, 1)
      expect(found.dataSync()[0]).toBeCloseTo(100, 3)
      expect(found.dataSync()[1]).toBeCloseTo(-10, 4)
    })
  })

  it('has the first and second derivatives of the inverse function', () => {
    tf.tidy(() => {
      const root = (y: tf.Tensor, a: tf.Tensor = half()) => between(cubic(a), y)
      const slopes = (y: tf.Tensor) => tf.grad((v: tf.Tensor) => root(v))(y)
      const y = tf.tensor1d(ys)
      const first = [...slopes(y).dataSync()]
      const second = [...tf.grad(slopes)(y).dataSync()]
      const byA = tf
        .grad((a: tf.Tensor) => tf.sum(root(y, a)))(half())
        .dataSync()[0]!
      xs.forEach((x, i) => {
        const slope = 1 + 1.5 * x ** 2
        expect(first[i]).toBeCloseTo(1 / slope, 5)
        expect(second[i]).toBeCloseTo((-3 * x) / slope ** 3, 4)
      })
      expect(byA).toBeCloseTo(
        xs.reduce((sum, x) => sum - x ** 3 / (1 + 1.5 * x ** 2), 0),
        3,
      )
    })
  })

  it('is NaN for NaN, and finds the other roots all the same', () => {
    tf.tidy(() => {
      const [none, one] = between(cubic(half()), tf.tensor1d([Number.NaN, 1.5])).dataSync()
      expect(none).toBeNaN()
      expect(one).toBeCloseTo(1, 6)
    })
  })

  it('is the same in a program, gradient included', async () => {
    const both = (y: tf.Tensor) => {
      const root = (v: tf.Tensor) => between(cubic(half()), v)
      return [root(y), tf.grad(root)(y)]
    }
    const y = tf.tensor1d(ys)
    const wanted = both(y).map((t) => [...t.dataSync()])
    await ready('onnxruntime')
    const compiled = jit(both)
    const got = await Promise.all((await compiled(y)).map(async (t) => [...(await t.data())]))
    await compiled.dispose()
    await ready('cpu')
    expect(apart(got.flat(), wanted.flat())).toBeLessThan(1e-5)
  })
})
