import '../support.js'
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { normalArray } from 'diffeo/tensor'
import { adam, averaged, clipByGlobalNorm, constantRate, cosineRate, type Optimiser } from 'diffeo/train'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { setHost } from '../../src/host.js'

const doubles = (tensors: readonly tf.Tensor[]): number[][] => tensors.map((x) => [...x.dataSync()])

/** What an optimiser makes of parameters in some steps with these gradients. */
const run = (optimiser: Optimiser, start: number[][], grads: number[][][], rate: number) =>
  tf.tidy(() => {
    let params: readonly tf.Tensor[] = start.map((p) => tf.tensor1d(p))
    let moments = optimiser.init(params)
    const path = grads.map((gs, i) => {
      const now = gs.map((g) => tf.tensor1d(g))
      const [next, after] = optimiser.update(
        now,
        moments,
        params,
        optimiser.rates(i + 1, rate).map((r) => tf.scalar(r)),
      )
      params = next
      moments = after
      return doubles(params)
    })
    return { path, moments: moments.map(doubles) }
  })

/** Adam as it is in the paper, in doubles: m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), θ − η·m̂/(√v̂ + ε). */
const reference = (
  start: number[],
  grads: number[][],
  rate: number,
  [b1, b2, epsilon]: readonly [number, number, number],
) => {
  const m = start.map(() => 0)
  const v = start.map(() => 0)
  const theta = [...start]
  return grads.map((gs, i) => {
    gs.forEach((g, j) => {
      m[j] = b1 * m[j]! + (1 - b1) * g
      v[j] = b2 * v[j]! + (1 - b2) * g * g
      const [mHat, vHat] = [m[j]! / (1 - b1 ** (i + 1)), v[j]! / (1 - b2 ** (i + 1))]
      theta[j] = theta[j]! - (rate * mHat) / (Math.sqrt(vHat) + epsilon)
    })
    return [...theta]
  })
}

const start = [[1, -2, 0.5], [3]]
const grads = Array.from({ length: 12 }, (_, i) => {
  const [a = 0, b = 0, c = 0, d = 0] = normalArray(key(i), 4)
  return [[a, b * 1e-7, c * 1e3], [d]]
})
const close = (got: number[], wanted: number[]) =>
  got.forEach((x, i) => {
    expect(Math.abs(x - wanted[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(wanted[i]!)))
  })

describe('adam', () => {
  it.each<[string, Optimiser, readonly [number, number, number]]>([
    ['by default', adam(), [0.9, 0.999, 1e-8]],
    ['with other factors', adam({ beta1: 0.5, beta2: 0.9, epsilon: 0.1 }), [0.5, 0.9, 0.1]],
  ])('is the Adam of the paper, %s', (_, optimiser, factors) => {
    const { path } = run(optimiser, start, grads, 0.01)
    start.forEach((p, j) => {
      const gs = grads.map((g) => g[j]!)
      reference(p, gs, 0.01, factors).forEach((wanted, i) => {
        close(path[i]![j]!, wanted)
      })
    })
  })
  it('moves by the learning rate at the first step, whatever the size of the gradient', () => {
    const { path } = run(adam(), [[0, 0, 0]], [[[1e-3, -5, 1e6]]], 0.01)
    close(path[0]![0]!, [-0.01, 0.01, -0.01])
  })
  it('stays where the gradient is always zero', () =>
    expect(run(adam(), [[1, 2]], [[[0, 0]], [[0, 0]]], 0.1).path[1]).toEqual([[1, 2]]))
})

describe('averaged', () => {
  it('moves as its optimiser does, and keeps the moving average as its last moments', () => {
    const plain = run(adam(), start, grads, 0.01)
    const { path, moments } = run(averaged(adam(), 0.6), start, grads, 0.01)
    expect(path).toEqual(plain.path)
    expect(moments.slice(0, 2)).toEqual(plain.moments)
    let average = [...start[0]!]
    path.forEach((params, i) => {
      const d = Math.min(0.6, (2 + i) / (11 + i))
      average = average.map((a, j) => d * a + (1 - d) * params[0]![j]!)
    })
    close(moments[2]![0]!, average)
  })
  it('hands its optimiser the moments and rates of that optimiser alone, and knows its own behind them', () => {
    const seen: unknown[] = []
    /** Any number of lists of moments and of rates. */
    const noting = (lists: number, rates: number): Optimiser => ({
      init: (params) => Array.from({ length: lists }, () => params.map((p) => tf.zerosLike(p))),
      rates: () => Array.from({ length: rates }, (_, i) => i),
      update: (_, moments, params, given) => {
        seen.push([moments.length, given.length])
        return [params.map((p) => tf.add(p, 1)), moments.map((list) => list.map((m) => tf.add(m, 1)))]
      },
    })
    for (const [lists, rates] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [3, 4],
    ] as const)
      tf.tidy(() => {
        const own = averaged(noting(lists, rates), 0.5)
        const params = [tf.tensor1d([10])]
        const moments = own.init(params)
        expect(moments).toHaveLength(lists + 1)
        const given = own.rates(1e3, 1)
        expect(given).toHaveLength(rates + 2)
        const [, next] = own.update(
          params,
          moments,
          params,
          given.map((rate) => tf.scalar(rate)),
        )
        expect(seen.at(-1)).toEqual([lists, rates])
        expect(next.slice(0, -1).map(doubles)).toEqual(Array.from({ length: lists }, () => [[1]]))
        expect(doubles(next.at(-1)!)).toEqual([[10.5]])
        expect(own.average(next)).toBe(next.at(-1))
      })
    expect(averaged(adam()).average([])).toEqual([])
  })
  it('forgets a two-hundredth in the end unless told', () => {
    const [, , d, rest] = averaged(adam()).rates(1e6, 1)
    expect([d, rest]).toEqual([0.995, 1 - 0.995])
  })
  it('starts at the parameters, in tensors of their own', () => {
    const p = tf.tensor1d([1, 2])
    const moments = averaged(adam()).init([p])
    p.dispose()
    expect(doubles(moments[2]!)).toEqual([[1, 2]])
    tf.dispose(moments as tf.TensorContainer)
  })
})

describe('clipByGlobalNorm', () => {
  const clip = (gs: number[][], max: number) =>
    tf.tidy(() => {
      const [clipped, norm] = clipByGlobalNorm(
        gs.map((g) => tf.tensor1d(g)),
        max,
      )
      return { clipped: doubles(clipped), norm: norm.dataSync()[0]! }
    })
  const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 4,
  })

  it('keeps the direction and makes the joint norm at most max', () =>
    fc.assert(
      fc.property(
        fc.array(values, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0.1, max: 200, noNaN: true }),
        (gs, max) => {
          const norm = Math.hypot(...gs.flat())
          const got = clip(gs, max)
          expect(Math.abs(got.norm - norm)).toBeLessThan(1e-5 * (1 + norm))
          close(
            got.clipped.flat(),
            gs.flat().map((g) => g * Math.min(1, max / norm || 1)),
          )
        },
      ),
    ))
  it('changes no bit of what is short enough, and nothing at all without a limit', () => {
    const gs = [[0.1, 0.2], [0.3]].map((g) => [...Float32Array.from(g)])
    expect(clip(gs, 100).clipped).toEqual(gs)
    expect(clip(gs, Number.POSITIVE_INFINITY).clipped).toEqual(gs)
  })
  it('says that a norm is not finite', () => {
    expect(clip([[Number.NaN, 1]], 1).norm).toBeNaN()
    expect(clip([[Number.POSITIVE_INFINITY]], 1).norm).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('schedules', () => {
  it('constantRate is constant', () => expect([0, 1, 1e9].map(constantRate(0.3))).toEqual([0.3, 0.3, 0.3]))
  it('cosineRate rises to the rate, is half way in the middle, and ends at the last part of it', () => {
    const rate = cosineRate(2, 110, 10, 0.1)
    expect(rate(0)).toBeCloseTo(0.2)
    expect(rate(9)).toBe(2)
    expect(rate(10)).toBe(2)
    expect(rate(60)).toBeCloseTo(1.1)
    expect(rate(110)).toBeCloseTo(0.2)
    expect(rate(1e6)).toBeCloseTo(0.2)
  })
  it('cosineRate starts at the rate without warm-up, and is finite if the warm-up is all there is', () => {
    expect(cosineRate(2, 100)(0)).toBe(2)
    expect(cosineRate(2, 10, 10)(9)).toBe(2)
    expect(cosineRate(2, 10, 10)(10)).toBe(2)
    expect(cosineRate(2, 10, 10)(11)).toBeCloseTo(0.02)
  })
  it('cosineRate never rises after the warm-up and stays within its bounds', () =>
    fc.assert(
      fc.property(fc.nat(50), fc.nat(200), (warmUp, steps) => {
        const rates = Array.from({ length: 260 }, (_, i) => cosineRate(1, steps, warmUp, 0.01)(i))
        expect(rates.every((r, i) => r > 0 && r <= 1 && (i <= warmUp || r <= rates[i - 1]!))).toBe(true)
      }),
    ))
})

it('moments start where the host keeps numbers, outside of WebAssembly', () => {
  const asked: (readonly number[])[] = []
  setHost((data, shape) => {
    asked.push(shape)
    return tf.tensor(data, [...shape])
  })
  try {
    const p = tf.ones([2, 3])
    const moments = averaged(adam()).init([p])
    expect(asked).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
    ])
    expect(moments.map(([m]) => [...m!.dataSync()])).toEqual([Array(6).fill(0), Array(6).fill(0), Array(6).fill(1)])
    tf.dispose([p, ...moments.flat()])
  } finally {
    setHost(undefined)
  }
})
