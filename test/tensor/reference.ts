/** Operations against plain arrays, index by index. */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import * as T from 'diffeo/tensor'
import { type AnyTensor, permutation, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { expect } from 'vitest'
import { product } from '../../src/tensor/shape.js'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'

export type Index = readonly number[]

export const size = fc.integer({ min: 1, max: 4 })
export const shape = fc.array(size, { minLength: 1, maxLength: 4 })
export const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const runs = { numRuns: 20 }

/** A tensor of whatever shape. */
export const any = (t: tf.Tensor): AnyTensor => trust(t)

/** Distinct values, half a unit apart and none nearer than an eighth to 0: far from every kink. */
export const draw = (dims: readonly number[], seed: number, offset = 0.25): AnyTensor => {
  const n = product(dims)
  const step = Math.min(0.5, 4 / n)
  return trust(
    tf.tensor(
      Array.from(permutation(key(seed), n), (i) => (i - Math.floor(n / 2)) * step + offset * step),
      [...dims],
    ),
  )
}
export const positive = (dims: readonly number[], seed: number): AnyTensor => T.plus(0.1)(T.abs(draw(dims, seed)))

const place = (dims: readonly number[], index: Index): number => dims.reduce((at, n, i) => at * n + index[i]!, 0)
export const indices = (dims: readonly number[]): readonly Index[] =>
  dims.reduce<readonly Index[]>((all, n) => all.flatMap((i) => Array.from({ length: n }, (_, j) => [...i, j])), [[]])
/** A tensor as a function of the index. */
export const read = (t: AnyTensor): ((index: Index) => number) => {
  const { shape: dims } = unwrap(t)
  const values = unwrap(t).dataSync()
  return (index) => values[place(dims, index)]!
}

/** Every element is what the reference says. */
export const agrees = (got: AnyTensor, dims: readonly number[], expected: (index: Index) => number): void => {
  expect(unwrap(got).shape).toEqual(dims)
  expect(unwrap(got).dtype).toBe('float32')
  const at = read(got)
  for (const index of indices(dims)) {
    const e = expected(index)
    expect(Math.abs(at(index) - e), `at [${index}]: ${at(index)}, not ${e}`).toBeLessThanOrEqual(
      5e-5 * Math.max(1, Math.abs(e)),
    )
  }
}

/** A property of random shapes; whatever its body allocates is freed, unless it was kept. */
export const holds = <Ts extends readonly unknown[]>(
  arbitraries: { readonly [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
  body: (...args: Ts) => void,
): void => {
  const before = tf.memory().numTensors
  fc.assert(
    fc.property(fc.tuple(...(arbitraries as unknown as fc.Arbitrary<unknown>[])), (args) => {
      tf.tidy(() => body(...(args as unknown as Ts)))
    }),
    runs,
  )
  expect(tf.memory().numTensors).toBe(before)
}
