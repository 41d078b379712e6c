/** Linear layers against their formulas in float64, for a few and for many channels. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  atShape,
  dct,
  describeError,
  exponentialLinear,
  haar,
  householder,
  key,
  type Layer,
  lowRankLinear,
  luLinear,
  rotation,
  type Same,
  type Shape,
  shuffle,
} from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import { type Params, permutation } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'
import { identity, logAbsDet, type Matrix, matrix, product, rowsOf, sum, transposed } from './reference.js'

/** exp(A) by the series of A/2²⁰ and twenty squarings. */
const exponential = (a: Matrix): Matrix => {
  const small = a.map((row) => row.map((v) => v / 2 ** 20))
  let power = sum(sum(identity(a.length), small), product(small, small), 0.5)
  for (let i = 0; i < 20; i++) power = product(power, power)
  return power
}
const square = (p: Params, name: string, c: number): Matrix => rowsOf(values(p[name]), c)
const softplus = (x: number): number => Math.log1p(Math.exp(x))
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)

/** W, by channels, from the formula of the docstring. */
const matrices: Readonly<Record<string, readonly [Layer<Same>, (p: Params, c: number) => Matrix, spread?: number]>> = {
  luLinear: [
    luLinear({ seed: 5 }),
    (p, c) => {
      const [lower, upper, scale] = [square(p, 'lower', c), square(p, 'upper', c), values(p['logScale']).map(Math.exp)]
      const l = matrix(c, c, (i, j) => (i === j ? 1 : i > j ? lower[i]![j]! : 0))
      const u = matrix(c, c, (i, j) => (i === j ? scale[i]! : i < j ? upper[i]![j]! : 0))
      const order = [...permutation(key(5), c)]
      return product(
        matrix(c, c, (i, j) => (order[j] === i ? 1 : 0)),
        product(l, u),
      )
    },
  ],
  exponentialLinear: [exponentialLinear(), (p, c) => exponential(square(p, 'generator', c))],
  rotation: [
    rotation(),
    (p, c) => exponential(sum(square(p, 'generator', c), transposed(square(p, 'generator', c)), -1)),
  ],
  householder: [
    householder({ reflections: 3 }),
    (p, c) =>
      square(p, 'axes', c).reduce<Matrix>(
        (q, v) =>
          product(
            q,
            matrix(c, c, (i, j) => (i === j ? 1 : 0) - (2 * v[i]! * v[j]!) / dot(v, v)),
          ),
        identity(c),
      ),
  ],
  lowRankLinear: [
    lowRankLinear({ rank: 3 }),
    (p, c) => {
      const scale = values(p['logScale']).map(Math.exp)
      const right = square(p, 'right', c)
      return square(p, 'left', c).reduce<Matrix>(
        (w, v, k) => {
          const along = dot(v, right[k]!)
          const factor = softplus(along + Math.log(Math.expm1(1 - 1e-3))) + 1e-3
          const u = right[k]!.map((r, i) => r + ((factor - 1 - along) * v[i]!) / dot(v, v))
          return product(
            w,
            matrix(c, c, (i, j) => (i === j ? 1 : 0) + v[i]! * u[j]!),
          )
        },
        matrix(c, c, (i, j) => (i === j ? scale[i]! : 0)),
      )
    },
  ],
}

const worst = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0)

describe.each(Object.entries(matrices))('%s', (_, [layer, matrixAt]) => {
  it.each([1, 2, 3, 12, 48])('is its formula, with its log-det and inverse, for %d channels', (c) => {
    tf.tidy(() => {
      const shape: Shape = [2, 1, c]
      const b = atShape(shape, layer)
      const params = randomParams(b, key(c), 0.5 / Math.sqrt(c))
      const x = randomBatch(shape, [-1, 1], 3, key(1))
      const w = matrixAt(params, c)
      const [y, logDet] = b.bind(params).forward(x as never)
      const [back, opposite] = b.bind(params).inverse(y as never)
      expect(worst(values(y), product(rowsOf(values(x), c), w).flat())).toBeLessThan(2e-6)
      for (const l of values(logDet)) expect(Math.abs(l - 2 * logAbsDet(w))).toBeLessThan(2e-5)
      expect(worst(values(back), values(x))).toBeLessThan(5e-6)
      expect(
        worst(
          values(opposite),
          values(logDet).map((l) => -l),
        ),
      ).toBe(0)
    })
  })
})

describe('starts', () => {
  const startOf = (b: AnyBijector, x: ReturnType<typeof randomBatch>) => values(b.bind(b.init(key(2))).forward(x)[0])
  it.each([
    ['exponentialLinear', exponentialLinear()],
    ['rotation', rotation({ start: 'identity' })],
    ['lowRankLinear', lowRankLinear()],
  ])('%s is the identity', (_, layer) => {
    tf.tidy(() => {
      const x = randomBatch([6], [-1, 1], 4, key(1))
      expect(worst(startOf(atShape([6], layer), x), values(x))).toBeLessThan(1e-6)
    })
  })
  it('luLinear is the permutation of its seed, to the bit', () => {
    tf.tidy(() => {
      const x = randomBatch([6], [-1, 1], 4, key(1))
      expect(startOf(atShape([6], luLinear({ seed: 4 })), x)).toEqual(startOf(atShape([6], shuffle(4)), x))
    })
  })
  it('rotation has angles up to π: its generator has the deviation of that semicircle', () => {
    tf.tidy(() => {
      const c = 32
      const g = values(atShape([c], rotation()).init(key(2))['generator'])
      const deviation = Math.sqrt(g.reduce((sum, v) => sum + v * v, 0) / g.length)
      expect(Math.abs((2 * Math.SQRT2 * deviation * Math.sqrt(c)) / Math.PI - 1)).toBeLessThan(0.1)
    })
  })
  it('rotation is far from the identity', () => {
    tf.tidy(() => {
      const c = 32
      const w = rowsOf(startOf(atShape([c], rotation()), tf.eye(c) as never), c)
      const diagonal = w.reduce((sum, row, i) => sum + row[i]!, 0) / c
      // the mean cosine of angles on a semicircle of radius π: 2·J₁(π)/π = 0.18
      expect(Math.abs(diagonal)).toBeLessThan(0.35)
    })
  })
})

it.each([1e-12, 0, 1e15])('householder with axes of length %d is orthogonal', (size) => {
  tf.tidy(() => {
    const b = atShape([3], householder({ reflections: 1 }))
    const axes = tf.tensor2d([size, -size, size], [1, 3])
    const x = randomBatch([3], [-1, 1], 4, key(1))
    const [y] = b.bind({ axes: axes as never }).forward(x as never)
    const lengths = (v: unknown) => rowsOf(values(v), 3).map((row) => Math.hypot(...row))
    expect(worst(lengths(y), lengths(x))).toBeLessThan(1e-6)
  })
})

it('lowRankLinear is invertible at parameters whose plain update would not be', () => {
  tf.tidy(() => {
    const b = atShape([2], lowRankLinear({ rank: 1 }))
    const p = { logScale: tf.zeros([2]), left: tf.tensor2d([[1, 0]]), right: tf.tensor2d([[-1, 0]]) }
    const x = randomBatch([2], [-1, 1], 4, key(1))
    const [y, logDet] = b.bind(p as never).forward(x as never)
    expect(worst(values(b.bind(p as never).inverse(y as never)[0]), values(x))).toBeLessThan(1e-5)
    for (const l of values(logDet))
      expect(l).toBeCloseTo(Math.log(softplus(-1 + Math.log(Math.expm1(0.999))) + 1e-3), 5)
  })
})

it('haar is the orthonormal wavelet of each square, in the layout of squeeze', () => {
  tf.tidy(() => {
    const x = randomBatch([2, 2, 2], [-1, 1], 1, key(1))
    const [a, b, c, d] = [0, 1, 2, 3].map((k) => values(x).filter((_, i) => Math.floor(i / 2) === k))
    const expected = [0, 1].flatMap((k) => {
      const [p, q, r, s] = [a![k]!, b![k]!, c![k]!, d![k]!]
      return [p + q + r + s, p - q + r - s, p + q - r - s, p - q - r + s].map((v) => v / 2)
    })
    const [y] = atShape([2, 2, 2], haar)
      .bind({})
      .forward(x as never)
    expect(worst(values(y), expected)).toBeLessThan(1e-6)
  })
})

it.each([
  [1, 1],
  [3, 5],
  [8, 4],
])('dct is the orthonormal DCT-II of %d×%d', (h, w) => {
  tf.tidy(() => {
    const x = randomBatch([h, w, 2], [-1, 1], 2, key(1))
    const v = values(x)
    const basis = (n: number, i: number, k: number): number =>
      Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI / n) * (i + 0.5) * k)
    const expected = v.map((_, at) => {
      const [n, k, l, c] = [Math.floor(at / (h * w * 2)), Math.floor(at / (w * 2)) % h, Math.floor(at / 2) % w, at % 2]
      let total = 0
      for (let i = 0; i < h; i++)
        for (let j = 0; j < w; j++) total += v[((n * h + i) * w + j) * 2 + c]! * basis(h, i, k) * basis(w, j, l)
      return total
    })
    const b = atShape([h, w, 2], dct)
    const [y] = b.bind({}).forward(x as never)
    expect(worst(values(y), expected)).toBeLessThan(2e-6)
    expect(worst(values(b.bind({}).inverse(y as never)[0]), v)).toBeLessThan(2e-6)
  })
})

it('shuffle is one permutation for each seed and size', () => {
  tf.tidy(() => {
    const x = tf.reshape(tf.range(0, 9), [1, 9])
    const order = (seed: number) =>
      values(
        atShape([9], shuffle(seed))
          .bind({})
          .forward(x as never)[0],
      )
    expect(order(1)).toEqual([...permutation(key(1), 9)])
    expect(order(1)).not.toEqual(order(2))
  })
})

it.each<[Layer<Same>, string]>([
  [luLinear({ seed: -1 }), 'luLinear: expected a seed, a whole number from 0, got -1'],
  [householder({ reflections: 0 }), 'householder: expected a whole number of reflections from 1, got 0'],
  [lowRankLinear({ rank: 0 }), 'lowRankLinear: expected a whole number of updates of rank one from 1, got 0'],
  [rotation({ start: 'zero' as 'random' }), 'rotation: expected start "random" or "identity", got "zero"'],
  [shuffle(0.5), 'shuffle: expected a seed, a whole number from 0, got 0.5'],
])('is refused: %#', (layer, sentence) => {
  expect(pipe(layer.at([2]), E.mapLeft(describeError))).toEqual(E.left(sentence))
})
it('luLinear takes seed 0, its default', () => {
  expect(E.isRight(luLinear({ seed: 0 }).at([2]))).toBe(true)
})
