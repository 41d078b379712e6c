import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import {
  foldIn,
  type Key,
  KeyC,
  key,
  normalArray,
  permutation,
  randomInt,
  splitKey,
  threefry2x32,
  uniformArray,
} from '../../src/tensor/random.js'

const hex = (k: Key, c0: number, c1: number): string => {
  const out = new Uint32Array(2)
  threefry2x32(k, c0, c1, out, 0)
  return [...out].map((w) => w.toString(16).padStart(8, '0')).join(' ')
}

const mean = (xs: ArrayLike<number>, f: (x: number) => number = (x) => x): number => {
  let sum = 0
  for (let i = 0; i < xs.length; i++) sum += f(xs[i] ?? Number.NaN)
  return sum / xs.length
}

/** The Kolmogorov–Smirnov distance times √n: above 1.95 once in a thousand. */
const ks = (xs: Float32Array, cdf: (x: number) => number): number => {
  const sorted = xs.slice().sort()
  let worst = 0
  sorted.forEach((x, i) => {
    worst = Math.max(worst, Math.abs(cdf(x) - i / xs.length), Math.abs(cdf(x) - (i + 1) / xs.length))
  })
  return worst * Math.sqrt(xs.length)
}

/** Abramowitz and Stegun 7.1.26, to 1.5e-7. */
const normalCdf = (x: number): number => {
  const z = Math.abs(x) / Math.SQRT2
  const u = 1 / (1 + 0.3275911 * z)
  const poly = u * (0.254829592 + u * (-0.284496736 + u * (1.421413741 + u * (-1.453152027 + u * 1.061405429))))
  const tail = 0.5 * poly * Math.exp(-z * z)
  return x < 0 ? tail : 1 - tail
}

const correlation = (a: Float32Array, b: Float32Array): number => mean(a.map((x, i) => x * (b[i] ?? 0)))

const arbKey: fc.Arbitrary<Key> = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff))

describe('threefry2x32, 20 rounds: known answers of Random123', () => {
  it.each<[string, Key, number, number, string]>([
    ['zeros', [0, 0], 0, 0, '6b200159 99ba4efe'],
    ['ones', [0xffffffff, 0xffffffff], 0xffffffff, 0xffffffff, '1cb996fc bb002be7'],
    ['digits of pi', [0x13198a2e, 0x03707344], 0x243f6a88, 0x85a308d3, 'c4923a9c 483df7a0'],
  ])('%s', (_, k, c0, c1, answer) => expect(hex(k, c0, c1)).toBe(answer))
})

describe('keys', () => {
  it('hold all the bits of a seed', () => {
    expect(key(42)).toEqual([0, 42])
    expect(key(2 ** 32 + 5)).toEqual([1, 5])
    expect(key(-1)).toEqual([0xffffffff, 0xffffffff])
  })
  it('split the same way every time, and fewer is a prefix of more', () => {
    expect(splitKey(key(1))).toEqual(splitKey(key(1)))
    expect(splitKey(key(1), 5).slice(0, 2)).toEqual(splitKey(key(1)))
  })
  it('are all different: split, folded and drawn', () => {
    const parent = key(7)
    const folded = Array.from({ length: 500 }, (_, i) => foldIn(parent, i))
    const drawn = Array.from({ length: 500 }, (_, i) => hex(parent, 0, i))
    const children = [...splitKey(parent, 500), ...folded].map(([a, b]) =>
      [a, b].map((w) => w.toString(16).padStart(8, '0')).join(' '),
    )
    expect(new Set([...children, ...drawn]).size).toBe(1500)
  })
  it('go through JSON and the codec', () =>
    fc.assert(
      fc.property(arbKey, (k) => {
        expect(KeyC.decode(JSON.parse(JSON.stringify(KeyC.encode(k))))).toEqual(E.right(k))
      }),
    ))
  it.each([[[0]], [[0, -1]], [[0, 0.5]], [[0, 2 ** 32]], [[0, 1, 2]], ['ab'], [null], [[0, '1']]])('refuse %j', (bad) =>
    expect(E.isLeft(KeyC.decode(bad))).toBe(true),
  )
})

describe('uniformArray', () => {
  it('is in [0, 1) for any key and size', () =>
    fc.assert(
      fc.property(arbKey, fc.nat(33), (k, n) => {
        const xs = uniformArray(k, n)
        expect(xs.length).toBe(n)
        expect(xs.every((x) => x >= 0 && x < 1)).toBe(true)
      }),
    ))
  it('is uniform', () => {
    const xs = uniformArray(key(3), 1e6)
    expect(mean(xs)).toBeCloseTo(1 / 2, 2)
    expect(mean(xs, (x) => (x - 0.5) ** 2)).toBeCloseTo(1 / 12, 3)
    expect(ks(xs, (x) => x)).toBeLessThan(1.95)
  })
  it('gives the same bits for the same seed', () =>
    expect(uniformArray(key(9), 101)).toEqual(uniformArray(key(9), 101)))
})

describe('normalArray', () => {
  const n = 1e6
  const xs = normalArray(key(5), n)
  it('has the moments 0, 1, 0, 3', () => {
    // Four standard errors of each moment's estimate.
    expect(Math.abs(mean(xs))).toBeLessThan(4 * Math.sqrt(1 / n))
    expect(Math.abs(mean(xs, (x) => x ** 2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n))
    expect(Math.abs(mean(xs, (x) => x ** 3))).toBeLessThan(4 * Math.sqrt(15 / n))
    expect(Math.abs(mean(xs, (x) => x ** 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n))
  })
  it('is normal', () => expect(ks(xs, normalCdf)).toBeLessThan(1.95))
  it('is always finite', () => expect(xs.every(Number.isFinite)).toBe(true))
  it('has the size asked for, odd or even', () =>
    expect([0, 1, 2, 7].map((size) => normalArray(key(0), size).length)).toEqual([0, 1, 2, 7]))
  it('is not correlated with itself shifted, nor between keys', () => {
    const near = 4 / Math.sqrt(n)
    const [a, b] = splitKey(key(5))
    const others = [a, b, foldIn(key(5), 0), key(6)].map((k) => normalArray(k, n))
    expect(Math.abs(correlation(xs, xs.subarray(1)))).toBeLessThan(near)
    for (const ys of others) expect(Math.abs(correlation(xs, ys))).toBeLessThan(near)
    expect(Math.abs(correlation(others[0] ?? xs, others[1] ?? xs))).toBeLessThan(near)
  })
})

describe('randomInt and permutation', () => {
  it('stay in range', () =>
    fc.assert(
      fc.property(arbKey, fc.integer({ min: 1, max: 2 ** 32 }), (k, bound) => {
        const i = randomInt(k, bound)
        expect(Number.isInteger(i) && i >= 0 && i < bound).toBe(true)
      }),
    ))
  it('draw again in the ragged end: 3·2³⁰ leaves a quarter', () => {
    const counts = [0, 0, 0]
    for (const k of splitKey(key(1), 30_000)) {
      const third = Math.floor(randomInt(k, 3 * 2 ** 30) / 2 ** 30)
      counts[third] = (counts[third] ?? 0) + 1
    }
    for (const c of counts) expect(Math.abs(c - 10_000)).toBeLessThan(4 * Math.sqrt(30_000 * (2 / 9)))
  })
  it('hold every number once', () =>
    fc.assert(
      fc.property(arbKey, fc.nat(200), (k, n) => {
        expect([...permutation(k, n)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
      }),
    ))
  it('give each of the 24 orders of four equally often', () => {
    const counts = new Map<string, number>()
    const draws = 24_000
    for (const k of splitKey(key(2), draws)) {
      const order = permutation(k, 4).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    const chi2 = [...counts.values()].reduce((sum, c) => sum + (c - draws / 24) ** 2 / (draws / 24), 0)
    expect(counts.size).toBe(24)
    // χ² with 23 degrees of freedom passes 49.7 once in a thousand.
    expect(chi2).toBeLessThan(49.7)
  })
})

describe('what is no key, seed or size', () => {
  const any = (u: unknown) => u as never
  const k = key(0)
  it.each<[call: () => unknown, sentence: string]>([
    [() => key(any('a')), 'key: expected a finite number, got "a"'],
    [() => key(Number.NaN), 'key: expected a finite number, got NaN'],
    [() => key(any(undefined)), 'key: expected a finite number, got undefined'],
    [() => foldIn(any(5), 1), 'foldIn: expected a key, got 5; make one: key(42)'],
    [() => foldIn(any([1]), 1), 'foldIn: expected a key, got a list; make one: key(42)'],
    [() => foldIn(k, -1), 'foldIn: expected a whole number from 0 to 2³² − 1, got -1'],
    [() => foldIn(k, 0.5), 'foldIn: expected a whole number from 0 to 2³² − 1, got 0.5'],
    [() => foldIn(k, 2 ** 32), 'foldIn: expected a whole number from 0 to 2³² − 1, got 4294967296'],
    [() => splitKey(any(undefined)), 'split: expected a key, got undefined; make one: key(42)'],
    [() => splitKey(k, 1.5), 'split: expected a whole number of at least 0, got 1.5'],
    [() => uniformArray(any([Number.NaN, 1]), 2), 'uniformArray: expected a key, got a list'],
    [() => uniformArray(k, -1), 'uniformArray: expected a whole number of at least 0, got -1'],
    [() => normalArray(any(['a', 'b']), 2), 'normalArray: expected a key, got a list'],
    [() => normalArray(k, Number.NaN), 'normalArray: expected a whole number of at least 0, got NaN'],
    [() => randomInt(k, 0), 'randomInt: expected a bound from 1 to 2³², got 0'],
    [() => randomInt(k, 1.5), 'randomInt: expected a bound from 1 to 2³², got 1.5'],
    [() => permutation(k, 2.5), 'permutation: expected a whole number of at least 0, got 2.5'],
    [() => permutation(any(null), 2), 'permutation: expected a key, got null'],
  ])('is refused: %#', (call, sentence) => expect(call).toThrow(sentence))
})
