import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  exponentialCdf,
  key,
  type Layer,
  logisticCdf,
  logit,
  normalCdf,
  reverse,
  type Same,
  sigmoid,
  uniformCdf,
} from 'diffeo'
import * as T from 'diffeo/tensor'
import { type AnyTensor, uniformArray, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

/** Both directions of a layer, number by number, and log |dy/dx|. */
const through = (layer: Layer<Same>, xs: readonly number[]) =>
  T.tidy(() => {
    const f = atShape([1], layer).bind({})
    const x: AnyTensor = trust(tf.tensor([...xs], [xs.length, 1]))
    const [y, logDet] = f.forward(x as never)
    return { y: values(y), logDet: values(logDet), back: values(f.inverse(y)[0]) }
  })
const phi = (z: number) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)

// of tables: Φ(1.96) = .9750021, Φ(−1) = .1586553
const known: Readonly<Record<string, readonly [Layer<Same>, x: number, y: number, slope: number]>> = {
  'sigmoid at 0': [sigmoid, 0, 0.5, 0.25],
  'sigmoid at log 3': [sigmoid, Math.log(3), 0.75, 0.1875],
  'logit of the middle': [logit(), 128, 0, (4 * 0.9) / 256],
  'logit of black': [logit(), 0, Math.log(0.05 / 0.95), 0.9 / 256 / (0.05 * 0.95)],
  'logit of white': [logit(), 256, Math.log(0.95 / 0.05), 0.9 / 256 / (0.05 * 0.95)],
  'logit without a margin': [logit({ alpha: 0, bins: 4 }), 3, Math.log(3), 1 / 4 / 0.1875],
  'exponentialCdf at its median': [exponentialCdf(2), Math.LN2 / 2, 0.5, 1],
  'exponentialCdf near 0': [exponentialCdf(1), 1e-6, 1e-6, 1],
  uniformCdf: [uniformCdf(-1, 3), 0, 0.25, 0.25],
  'logisticCdf at its mean': [logisticCdf(1, 2), 1, 0.5, 1 / 8],
  'normalCdf at 1.96': [normalCdf(), 1.96, 0.9750021, phi(1.96)],
  'normalCdf below its mean': [normalCdf(3, 2), 1, 0.1586553, phi(1) / 2],
}
describe.each(Object.entries(known))('%s', (_, [layer, x, y, slope]) => {
  it('has the value and the slope of its formula', () => {
    const got = through(layer, [x])
    expect(got.y[0]).toBeCloseTo(y, 6)
    expect(got.logDet[0]).toBeCloseTo(Math.log(slope), 4)
    expect(got.back[0]).toBeCloseTo(x, 4)
  })
})

describe('far out', () => {
  it.each([
    ['sigmoid', sigmoid],
    ['logisticCdf', logisticCdf()],
  ])('the log-det of %s stays finite and exact', (_, layer) => {
    const { logDet } = through(layer, [-80, 80])
    for (const l of logDet) expect(l).toBeCloseTo(-80, 3)
  })
})

describe('the inverse of normalCdf', () => {
  // p = Φ(z) of tables, to more digits than float32 has
  it.each([
    [0.5, 0],
    [0.6, 0.2533471031],
    [0.9, 1.2815515655],
    [0.95, 1.644853627],
    [0.975, 1.9599639845],
    [0.98, 2.0537489106],
    [0.999, 3.0902323062],
    [0.1, -1.2815515655],
    [0.03, -1.8807936082],
    [0.02, -2.0537489106],
    [1e-6, -4.7534243088],
    [1e-20, -9.2623400898],
  ])('at %d is %d', (p, z) => {
    // what float32 makes of p moves z by its rounding over the density
    const rounding = (2 ** -25 * p) / phi(z)
    expect(Math.abs(through(reverse(normalCdf()), [p]).y[0]! - z)).toBeLessThan(
      1e-6 * Math.max(1, Math.abs(z)) + rounding,
    )
  })
  it('is finite at 0 and 1, where its gradient is too', () => {
    tf.tidy(() => {
      const f = atShape([1], reverse(normalCdf())).bind({})
      const ends = tf.tensor([[0], [1]])
      const [low, high] = values(f.forward(ends as never)[0])
      expect(low).toBeCloseTo(-12.95, 2)
      expect(high).toBe(-low!)
      const gradient = tf
        .grad((p: tf.Tensor) => tf.sum(unwrap(f.forward(p as never)[0])))(ends)
        .dataSync()
      expect([...gradient].every(Number.isFinite)).toBe(true)
    })
  })
})

describe('normalCdf', () => {
  it.each([
    [4, 5e-4],
    [5.2, 0.06],
  ])('comes back within its docstring from the tails, to %d', (most, error) => {
    const us = Array.from({ length: 2001 }, (_, i) => most * (i / 1000 - 1))
    const there = through(normalCdf(), us).y
    const again = through(reverse(normalCdf()), there).y
    expect(Math.max(...us.map((u, i) => Math.abs(again[i]! - u)))).toBeLessThan(error)
  })
  it('is 0 and 1 beyond', () => expect(through(normalCdf(), [-5.6, 5.6]).y).toEqual([0, 1]))
})

describe('inverse-CDF transforms (Eq. 3) of uniforms have the distribution that they name', () => {
  const n = 20_000
  const draws: Readonly<Record<string, readonly [Layer<Same>, cdf: (x: number) => number]>> = {
    exponential: [exponentialCdf(1.5), (x) => -Math.expm1(-1.5 * x)],
    uniform: [uniformCdf(-1, 3), (x) => (x + 1) / 4],
    logistic: [logisticCdf(0.5, 2), (x) => 1 / (1 + Math.exp(-(x - 0.5) / 2))],
  }
  it.each(Object.entries(draws))('%s', (_, [layer, cdf]) => {
    const u = Array.from(uniformArray(key(1), n), (v) => Math.max(v, 2 ** -25))
    const sorted = through(reverse(layer), u).y.toSorted((a, b) => a - b)
    const gap = sorted.reduce((worst, x, i) => Math.max(worst, Math.abs(cdf(x) - (i + 0.5) / n)), 0)
    expect(gap).toBeLessThan(1.95 / Math.sqrt(n)) // Kolmogorov and Smirnov, at one in a thousand
  })
  it('normal', () => {
    const u = Array.from(uniformArray(key(2), n), (v) => Math.max(v, 2 ** -25))
    const z = through(reverse(normalCdf(1, 2)), u).y
    const mean = z.reduce((a, b) => a + b, 0) / n
    const variance = z.reduce((a, b) => a + (b - mean) ** 2, 0) / n
    expect(Math.abs(mean - 1)).toBeLessThan((5 * 2) / Math.sqrt(n))
    expect(Math.abs(variance - 4)).toBeLessThan(5 * 4 * Math.sqrt(2 / n))
    expect(z.filter((v) => Math.abs(v - 1) < 2 * 1.959964).length / n).toBeCloseTo(0.95, 2)
  })
})
