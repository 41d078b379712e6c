import { describe, expect, it } from 'vitest'
import { circles, correlatedNormal, eightGaussians, type Toy, twoMoons } from '../../src/data/toys.js'
import { key } from '../../src/tensor/random.js'

/** Best NLL in nats as others report it, each to ±.01. */
const floors: ReadonlyArray<readonly [string, Toy, number]> = [
  ['moons, σ .05', twoMoons(), 0.29],
  ['moons, σ .1', twoMoons({ noise: 0.1 }), 1.002],
  ['circles', circles({ factor: 0.5, noise: 0.05 }), 0.61],
  ['eight Gaussians', eightGaussians, 2.83],
  ['correlated normal', correlatedNormal({ rho: 0.8 }), 2.327],
]

/** Sums of p, p·x, p·y over a grid that holds all of it. */
const integrate = (toy: Toy, step: number): readonly number[] => {
  const side = Math.ceil(10 / step)
  const points = new Float32Array(2 * side * side).map((_, i) =>
    i % 2 === 0 ? -5 + (((i >> 1) % side) + 0.5) * step : -5 + (Math.floor((i >> 1) / side) + 0.5) * step,
  )
  const sums = [0, 0, 0]
  toy.logProb(points).forEach((l, i) => {
    const p = Math.exp(l) * step * step
    ;[p, p * (points[2 * i] ?? 0), p * (points[2 * i + 1] ?? 0)].forEach((v, k) => {
      sums[k] = (sums[k] ?? 0) + v
    })
  })
  return sums
}

describe.each(floors)('%s', (_, toy, floor) => {
  it('has the entropy that others report', () => expect(Math.abs(toy.entropy() - floor)).toBeLessThan(0.01))
  it('has samples whose mean NLL is the entropy', () => {
    const n = 20_000
    const log = toy.logProb(toy.sample(key(1), n))
    const mean = log.reduce((a, b) => a + b, 0) / n
    const deviation = Math.sqrt(log.reduce((a, b) => a + (b - mean) ** 2, 0) / n)
    expect(Math.abs(mean + toy.entropy())).toBeLessThan((4 * deviation) / Math.sqrt(n))
  })
  it('has a density of mass 1, and samples with its mean', () => {
    const [mass = 0, x = 0, y = 0] = integrate(toy, 0.05)
    expect(mass).toBeCloseTo(1, 4)
    const n = 50_000
    const points = toy.sample(key(2), n)
    const mean = (axis: number) => points.reduce((sum, v, i) => sum + (i % 2 === axis ? v : 0), 0) / n
    expect(Math.abs(mean(0) - x)).toBeLessThan(0.05)
    expect(Math.abs(mean(1) - y)).toBeLessThan(0.05)
  })
  it('gives the same points for the same key, and finite densities far away', () => {
    expect(toy.sample(key(3), 50)).toEqual(toy.sample(key(3), 50))
    expect(toy.sample(key(3), 50)).not.toEqual(toy.sample(key(4), 50))
    expect(Number.isFinite(toy.logProb(Float32Array.of(1e3, -1e3))[0])).toBe(true)
  })
})

describe('the quadrature', () => {
  it('agrees with ten thousand Gaussians along the arcs', () => {
    const sigma = 0.05
    const points = Float32Array.of(0, 1, 0.5, 0.25, -1.1, -0.05, 1, 0.5, 2.2, 0.6, 0.3, 0.1)
    const n = 10_000
    twoMoons({ noise: sigma })
      .logProb(points)
      .forEach((log, i) => {
        let p = 0
        for (let j = 0; j < n; j++) {
          const t = ((j + 0.5) * Math.PI) / n
          for (const [a, b] of [[Math.cos(t), Math.sin(t)] as const, [1 - Math.cos(t), 0.5 - Math.sin(t)] as const])
            p += Math.exp(
              -(((points[2 * i] ?? 0) - a) ** 2 + ((points[2 * i + 1] ?? 0) - b) ** 2) / (2 * sigma * sigma),
            )
        }
        expect(log).toBeCloseTo(Math.log(p / (2 * n * 2 * Math.PI * sigma * sigma)), 4)
      })
  })
})
