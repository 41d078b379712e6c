import * as tf from '@tensorflow/tfjs-core'
import {
  affine,
  atShape,
  type Base,
  compiled,
  drawBase,
  flow,
  type Key,
  key,
  type Latents,
  standardLogistic,
  standardNormal,
} from 'diffeo'
import { asError } from 'diffeo/fp'
import { randomBatch } from 'diffeo/laws'
import { type AnyTensor, disposeParams, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { tensors, values } from '../support.js'

interface Known {
  readonly base: Base
  readonly logDensity: (z: number) => number
  readonly cdf: (z: number) => number
  readonly variance: number
  /** Of the fourth power, over variance². */
  readonly kurtosis: number
}
/** Φ by Simpson's rule: the density is at hand, and erf is not in the language. */
const normalCdf = (z: number): number => {
  const n = 200
  const f = (t: number) => Math.exp(-t * t * 0.5) / Math.sqrt(2 * Math.PI)
  const h = z / n
  const inside = Array.from({ length: n - 1 }, (_, i) => (i % 2 === 0 ? 4 : 2) * f((i + 1) * h))
  return 0.5 + (h / 3) * (f(0) + f(z) + inside.reduce((a, b) => a + b, 0))
}
const bases: Readonly<Record<string, Known>> = {
  standardNormal: {
    base: standardNormal,
    logDensity: (z) => -0.5 * z * z - 0.5 * Math.log(2 * Math.PI),
    cdf: normalCdf,
    variance: 1,
    kurtosis: 3,
  },
  standardLogistic: {
    base: standardLogistic,
    logDensity: (z) => -Math.abs(z) - 2 * Math.log1p(Math.exp(-Math.abs(z))),
    cdf: (z) => 1 / (1 + Math.exp(-z)),
    variance: Math.PI ** 2 / 3,
    kurtosis: 4.2,
  },
}
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const sumOf = (v: readonly number[]) => v.reduce((a, b) => a + b, 0)
const moment = (v: readonly number[], power: number) => sumOf(v.map((z) => z ** power)) / v.length

describe.each(Object.entries(bases))('%s', (_, { base, logDensity, cdf, variance, kurtosis }) => {
  const latents: readonly Latents[] = [[3], [2, 2, 2], [[4], [2, 1], [1, 1, 3]]]
  const draws = (of: Latents, k: Key, n: number, temperature?: number) => {
    const z = drawBase(base, of, {}, k, n, temperature === undefined ? {} : { temperature }) as unknown
    return z as AnyTensor | readonly AnyTensor[]
  }

  it.each(latents.map((l) => [JSON.stringify(l), l] as const))('logProb is the closed form over %s', (_, of) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          const shapes = (typeof of[0] === 'number' ? [of] : of) as readonly number[][]
          const parts = shapes.map((shape, i) => randomBatch(shape, [-6, 6], 3, key(seed + i)))
          const got = base.logProb({}, parts.length === 1 ? parts[0]! : parts)
          expect(unwrap(got).shape).toEqual([3])
          values(got).forEach((v, n) => {
            const all = parts.flatMap((part) =>
              values(part).slice((n * values(part).length) / 3, ((n + 1) * values(part).length) / 3),
            )
            const expected = sumOf(all.map(logDensity))
            expect(Math.abs(v - expected)).toBeLessThan(1e-5 * Math.abs(expected))
          })
        })
      }),
      { numRuns: 10 },
    )
  })
  it('logProb is finite far out', () => {
    tf.tidy(() => {
      const [far] = values(base.logProb({}, trust(tf.tensor([[100, -100]]))))
      expect(far).toBeCloseTo(2 * logDensity(100), 2)
    })
  })

  it('samples are finite, also where a uniform number is 0, as the last of these', () => {
    tf.tidy(() => {
      expect(values(draws([27_506], key(270), 1)).every(Number.isFinite)).toBe(true)
    })
  })
  it('samples have the shapes of the latents', () => {
    tf.tidy(() => {
      for (const of of latents) {
        const shapes = (typeof of[0] === 'number' ? [of] : of) as readonly number[][]
        expect(tensors(draws(of, key(0), 5)).map((t) => unwrap(t).shape)).toEqual(shapes.map((s) => [5, ...s]))
      }
    })
  })
  it('samples have its moments and its distribution', () => {
    tf.tidy(() => {
      const n = 40_000
      const z = values(draws([2], key(1), n / 2))
      // five standard errors each
      const error = (v: number) => 5 * Math.sqrt(v / n)
      expect(Math.abs(moment(z, 1))).toBeLessThan(error(variance))
      expect(Math.abs(moment(z, 2) - variance)).toBeLessThan(error((kurtosis - 1) * variance ** 2))
      expect(Math.abs(moment(z, 3))).toBeLessThan(error(60 * variance ** 3))
      // Kolmogorov and Smirnov, at one in a thousand
      const sorted = z.toSorted((a, b) => a - b)
      const gap = sorted.reduce((worst, v, i) => Math.max(worst, Math.abs(cdf(v) - (i + 0.5) / n)), 0)
      expect(gap).toBeLessThan(1.95 / Math.sqrt(n))
    })
  })
  it('latents are independent of each other', () => {
    tf.tidy(() => {
      const n = 20_000
      const [a, b] = tensors(draws([[1], [1]], key(2), n)).map(values)
      const correlation = sumOf(a!.map((v, i) => v * b![i]!)) / n / variance
      expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(n))
    })
  })
  it('a draw is a function of its key, scaled by the temperature', () => {
    tf.tidy(() => {
      const of: Latents = [[3], [2]]
      const z = values(draws(of, key(3), 2))
      expect(values(draws(of, key(3), 2))).toEqual(z)
      expect(values(draws(of, key(4), 2))).not.toEqual(z)
      values(draws(of, key(3), 2, 0.5)).forEach((v, i) => {
        expect(v).toBe(z[i]! / 2)
      })
      expect(values(draws(of, key(3), 2, 0)).every((v) => v === 0)).toBe(true)
    })
  })
  it('leaves nothing behind but what it answers', () => {
    const before = tf.memory().numTensors
    const z = tensors(draws([[3], [2, 2]], key(5), 2))
    expect(tf.memory().numTensors).toBe(before + 2)
    const logProb = base.logProb({}, z)
    expect(tf.memory().numTensors).toBe(before + 3)
    for (const t of [...z, logProb]) unwrap(t).dispose()
  })
})

describe('what cannot be drawn is refused', () => {
  const f = flow(atShape([2], affine), standardNormal)
  const params = f.init(key(0))
  afterAll(() => disposeParams(params))
  const calls: Readonly<Record<string, (n: number, temperature?: number) => unknown>> = {
    'of a base': (n, temperature) =>
      drawBase(standardLogistic, [[2], [3]], {}, key(1), n, temperature === undefined ? {} : { temperature }),
    'of a flow': (n, temperature) => f.sample(params)(key(1), n, temperature),
    'of a compiled flow': (n, temperature) => compiled(f).sample(params)(key(1), n, temperature),
  }
  const message = async (call: () => unknown): Promise<unknown> => {
    try {
      await call()
      return 'nothing'
    } catch (thrown) {
      return asError(thrown)
    }
  }
  describe.each(Object.entries(calls))('%s', (_, call) => {
    it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, '3' as never])('%s draws', async (n) => {
      expect(await message(() => call(n))).toMatchObject({ op: 'sample', expected: 'a whole number of draws from 0' })
    })
    it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '1' as never])('a temperature of %s', async (temperature) => {
      expect(await message(() => call(1, temperature))).toMatchObject({
        op: 'sample',
        expected: 'a finite temperature of at least 0',
      })
    })
    it('no draws and a temperature of 0 stay', async () => {
      const [none, mode] = [await call(0), await call(2, 0)]
      expect(tensors(none).map((t) => unwrap(t).size)).toEqual(tensors(none).map(() => 0))
      tf.dispose([tensors(none).map(unwrap), tensors(mode).map(unwrap)])
    })
  })
})
