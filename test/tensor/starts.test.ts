import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, type Key, key } from 'diffeo'
import { jit } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import {
  type AnyTensor,
  constant,
  fromKey,
  gaussian,
  identityMatrix,
  initialise,
  normalArray,
  orthogonal,
  type Param,
  type Tensor,
  uniformArray,
  unwrap,
} from 'diffeo/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import '../support.js'

/** The values of one parameter at its start, and its sizes. */
const startOf = (param: Param, from: Key = key(1)): tf.Tensor =>
  unwrap(initialise({ param }, from)['param'] as AnyTensor)
const numbers = (param: Param, from?: Key): readonly number[] =>
  tf.tidy(() => [...startOf(param, from).dataSync()] as never)
const farFromIdentity = (m: tf.Tensor): number => tf.max(tf.abs(tf.sub(m, tf.eye(m.shape[0]!)))).dataSync()[0]!

describe('orthogonal', () => {
  const side = fc.integer({ min: 1, max: 12 })
  it('QᵀQ = I, or QQᵀ where there are fewer rows', () =>
    fc.assert(
      fc.property(side, side, fc.nat(), (rows, columns, seed) =>
        tf.tidy(() => {
          const q = startOf(orthogonal([rows, columns]), key(seed)) as tf.Tensor2D
          expect(q.shape).toEqual([rows, columns])
          expect(farFromIdentity(tf.matMul(q, q, rows >= columns, rows < columns))).toBeLessThan(1e-6)
        }),
      ),
    ))
  it('takes the dimensions before the last for rows, and a gain', () =>
    tf.tidy(() => {
      const q = tf.reshape(startOf(orthogonal([3, 3, 2, 4], 5)), [18, 4]) as tf.Tensor2D
      expect(farFromIdentity(tf.div(tf.matMul(q, q, true), 25))).toBeLessThan(1e-6)
    }))
  it('is uniform: every entry has mean 0 and variance 1/n, and both determinants occur', () => {
    const n = 2000
    const draws = Array.from({ length: n }, (_, i) => numbers(orthogonal([3, 3]), key(i)))
    for (let entry = 0; entry < 9; entry++) {
      const mean = draws.reduce((sum, q) => sum + q[entry]!, 0) / n
      const square = draws.reduce((sum, q) => sum + q[entry]! ** 2, 0) / n
      // five standard errors
      expect(Math.abs(mean)).toBeLessThan((5 * Math.sqrt(1 / 3)) / Math.sqrt(n))
      expect(Math.abs(square - 1 / 3)).toBeLessThan((5 * 0.3) / Math.sqrt(n))
    }
    const turns = draws.filter(([a, b, c, d, e, f, g, h, i]) => {
      return a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!) > 0
    })
    expect(Math.abs(turns.length / n - 0.5)).toBeLessThan(5 * (0.5 / Math.sqrt(n)))
  })
})

describe('identityMatrix', () => {
  it('has ones on the diagonal, of matrices that are not square too', () => {
    expect(numbers(identityMatrix([2, 2]))).toEqual([1, 0, 0, 1])
    expect(numbers(identityMatrix([2, 3]))).toEqual([1, 0, 0, 0, 1, 0])
    expect(numbers(identityMatrix([3, 2]))).toEqual([1, 0, 0, 1, 0, 0])
  })
  it.each([
    [1, 1],
    [3, 3],
    [3, 5],
    [2, 4],
  ] as const)('is the kernel %i×%i that changes no image', (h, w) =>
    tf.tidy(() => {
      const x = tf.randomNormal([2, 4, 5, 3], 0, 1, 'float32', 1) as unknown as Tensor<readonly ['N', 4, 5, 3]>
      const kernel = startOf(identityMatrix([h, w, 3, 3])) as unknown as Tensor<readonly [number, number, 3, 3]>
      expect([...unwrap(T.conv2d(kernel)(x)).dataSync()]).toEqual([...unwrap(x).dataSync()])
    }),
  )
  it('is there inside jit, which draws nothing', async () => {
    const run = jit((x: AnyTensor) => T.mul(initialise({ m: identityMatrix([2, 2]) }, key(0))['m'] as AnyTensor)(x))
    const x = tf.fill([2, 2], 3) as unknown as AnyTensor
    const y = await run(x)
    expect([...unwrap(y).dataSync()]).toEqual([3, 0, 0, 3])
    tf.dispose([unwrap(x), unwrap(y)])
    await run.dispose()
    const draws = jit((x: AnyTensor) => T.mul(initialise({ m: orthogonal([2, 2]) }, key(0))['m'] as AnyTensor)(x))
    await expect(draws(x)).rejects.toThrow(DiffeoException)
  })
})

describe('fromKey', () => {
  it('starts at what the function makes of the key', () => {
    expect(numbers(fromKey([2, 3], (_, size) => Array.from({ length: size }, (_, i) => i)))).toEqual([0, 1, 2, 3, 4, 5])
    const [uniform, again] = [numbers(fromKey([50], uniformArray)), numbers(fromKey([50], uniformArray))]
    expect(again).toEqual(uniform)
    expect(uniform.every((u) => u >= 0 && u < 1)).toBe(true)
    expect(numbers(fromKey([4], normalArray))).toEqual(numbers(gaussian([4], 1)))
  })
  it('refuses another number of values', () => {
    const before = tf.memory().numTensors
    expect(() => initialise({ first: constant([2], 0), m: fromKey([2, 3], () => [1]) }, key(0))).toThrow(
      'fromKey: expected 6 values for 2×3, got 1',
    )
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('every start', () => {
  const starts: Readonly<Record<string, Param>> = {
    constant: constant([2, 2], 3),
    gaussian: gaussian([2, 2], 0.5),
    identityMatrix: identityMatrix([2, 2]),
    orthogonal: orthogonal([2, 2], 2, 'scale'),
    fromKey: fromKey([2, 2], uniformArray),
  }
  it.each(Object.entries(starts))('%s depends on the key alone', (name, param) => {
    expect(numbers(param, key(7))).toEqual(numbers(param, key(7)))
    const drawn = !['constant', 'identityMatrix'].includes(name)
    expect(numbers(param, key(7)).join() !== numbers(param, key(8)).join()).toBe(drawn)
  })
  it.each(Object.entries(starts).filter(([name]) => name !== 'fromKey'))('%s is plain data', (_, param) => {
    const copy = JSON.parse(JSON.stringify(param)) as Param
    expect(copy).toEqual(param)
    expect(numbers(copy)).toEqual(numbers(param))
  })
  it('of a matrix refuses a vector', () => {
    for (const [name, make] of Object.entries({ identityMatrix, orthogonal }))
      expect(() => (make as (shape: readonly number[]) => Param)([3])).toThrow(
        `${name}: expected at least two dimensions, got 3`,
      )
  })
})
