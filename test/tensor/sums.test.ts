/** Sums of many numbers of one sign, against float64, where sizes have no divisors or are all along one axis. */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { type EngineName, jit, ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { uniformArray, unwrap } from 'diffeo/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'

afterAll(() => ready('cpu'))

type Sum = (x: tf.Tensor) => tf.Tensor
/** Of shapes of one axis: the number of values, or with 2 beside it. */
const sums: Readonly<
  Record<string, readonly [f: Sum, shape: (d: number) => number[], per: 'all' | 'row' | 'column', mean?: true]>
> = {
  sumEvent: [(x) => unwrap(T.sumEvent(trust(x))), (d) => [2, d], 'row'],
  'sumEvent of an image of one column': [(x) => unwrap(T.sumEvent(trust(x))), (d) => [2, d, 1, 1], 'row'],
  'sumEvent of an image of one row': [(x) => unwrap(T.sumEvent(trust(x))), (d) => [2, 1, d, 1], 'row'],
  'sumEvent of an image of one pixel': [(x) => unwrap(T.sumEvent(trust(x))), (d) => [2, 1, 1, d], 'row'],
  sum: [(x) => unwrap(T.sum(trust(x))), (d) => [2, d], 'all'],
  mean: [(x) => unwrap(T.mean(trust(x))), (d) => [2, d], 'all', true],
  'sumAxis 0': [(x) => unwrap(T.sumAxis(0)(trust(x))), (d) => [d, 2], 'column'],
  'meanAxis 0': [(x) => unwrap(T.meanAxis(0)(trust(x))), (d) => [d, 2], 'column', true],
  'sumAxis 1': [(x) => unwrap(T.sumAxis(1)(trust(x) as never)), (d) => [2, d], 'row'],
  'meanAxis 1': [(x) => unwrap(T.meanAxis(1)(trust(x) as never)), (d) => [2, d], 'row', true],
  'sumAxis 1 of images': [(x) => unwrap(T.sumAxis(1)(trust(x) as never)), (d) => [1, d, 2], 'column'],
}
const total = (v: ArrayLike<number>): number => Array.from(v).reduce((a, b) => a + b, 0)
const exact = (data: Float32Array, per: 'all' | 'row' | 'column'): number[] => {
  if (per === 'all') return [total(data)]
  const half = data.length / 2
  return per === 'row'
    ? [total(data.subarray(0, half)), total(data.subarray(half))]
    : [0, 1].map((k) => total(data.filter((_, i) => i % 2 === k)))
}

describe.each(['cpu', 'wasm', 'onnxruntime'] as const satisfies readonly EngineName[])('on %s', (engine) => {
  it.each(Object.entries(sums))('%s', async (_, [f, shape, per, mean]) => {
    await ready(engine)
    const compiled = jit((x: tf.Tensor) => f(x))
    const errors: Record<string, number> = {}
    // the same number again and again is rounded the same way again and again
    const draws = [(u: number) => 1 + u, () => 0.1]
    const cases = [1, 2, 1021, 2 * 6151, 12289, 100_003].flatMap((d) => draws.map((draw) => [d, draw] as const))
    for (const [d, draw] of cases) {
      const data = uniformArray(key(d), 2 * d).map(draw)
      const wanted = exact(data, per).map((v) => (mean ? v / (per === 'all' ? 2 * d : d) : v))
      const x = tf.tensor(data, shape(d))
      for (const [how, y] of [
        ['at once', f(x)],
        ['compiled', await compiled(x)],
      ] as const) {
        const got = await y.data()
        expect(got.length).toBe(wanted.length)
        const worst = Math.max(...wanted.map((w, i) => Math.abs(got[i]! / w - 1)))
        if (worst > 1e-5) errors[`${d}, ${how}`] = worst
        y.dispose()
      }
      x.dispose()
    }
    await compiled.dispose()
    expect(errors).toEqual({})
  })
})
