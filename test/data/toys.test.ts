import { describe, expect, it } from 'vitest'
import { planes } from '../../src/data/planes.js'
import {
  circles,
  correlatedNormal,
  eightGaussians,
  rings,
  spirals,
  type Toy,
  twentyFiveGaussians,
  twoMoons,
} from '../../src/data/toys.js'
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

describe.each(Object.entries(planes))('%s by name', (name, toy) => {
  const n = 20_000
  const points = toy.sample(key(5), n)
  it('has the entropy that its own log-density has on its samples', () => {
    const log = toy.logProb(points)
    const mean = log.reduce((a, b) => a + b, 0) / n
    const deviation = Math.sqrt(log.reduce((a, b) => a + (b - mean) ** 2, 0) / n)
    expect(Math.abs(mean + toy.entropy())).toBeLessThan(1e-5 + (4 * deviation) / Math.sqrt(n))
  })
  it('has samples where its density is: as many in each cell of a board as the density says', () => {
    // cells of 1/2, each integrated by sums over 24×24 midpoints; Pearson's χ² over cells with 20 samples or more
    const [cells, fine] = [24, 24]
    const counts = new Float64Array(cells * cells)
    for (let i = 0; i < n; i++) {
      const [column, row] = [points[2 * i]!, points[2 * i + 1]!].map((v) => Math.floor(2 * (v + 6))) as [number, number]
      if (column >= 0 && column < cells && row >= 0 && row < cells) counts[row * cells + column]! += 1
    }
    const used = [...counts.keys()].filter((c) => counts[c]! >= 20)
    const step = 0.5 / fine
    let chi = 0
    for (const c of used) {
      const [left, bottom] = [(c % cells) / 2 - 6, Math.floor(c / cells) / 2 - 6]
      const grid = Float32Array.from({ length: 2 * fine * fine }, (_, i) =>
        i % 2 === 0 ? left + (((i >> 1) % fine) + 0.5) * step : bottom + (Math.floor((i >> 1) / fine) + 0.5) * step,
      )
      const expected = n * step * step * toy.logProb(grid).reduce((sum, l) => sum + Math.exp(l), 0)
      chi += (counts[c]! - expected) ** 2 / expected
    }
    expect(used.length, name).toBeGreaterThan(6)
    // mean k, deviation √2k
    expect(chi).toBeLessThan(used.length + 5 * Math.sqrt(2 * used.length))
    expect(used.reduce((sum, c) => sum + counts[c]!, 0)).toBeGreaterThan(0.95 * n)
  })
  it('follows its key', () => {
    expect(toy.sample(key(3), 50)).toEqual(toy.sample(key(3), 50))
    expect(toy.sample(key(3), 50)).not.toEqual(toy.sample(key(4), 50))
  })
})

describe('the entropies in closed form', () => {
  it('are those of the sums', () => {
    const apart = Math.log(25) + 1 + Math.log(2 * Math.PI * 0.05 ** 2)
    expect(planes['twenty-five-gaussians'].entropy()).toBeCloseTo(apart, 9)
    expect(planes.checkerboard.entropy()).toBe(Math.log(32))
  })
  it('has no sample off the board, up to its edges', () => {
    const log = planes.checkerboard.logProb(planes.checkerboard.sample(key(1), 200_000))
    expect(log.every((l) => l === Math.fround(-Math.log(32)))).toBe(true)
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

it.each<[string, Toy, number]>([
  ['circles', circles(), (1 + 0.5 ** 2) / 2 + 2 * 0.05 ** 2],
  ['rings', rings(), (0.75 ** 2 + 1.5 ** 2 + 2.25 ** 2 + 3 ** 2) / 4 + 2 * 0.08 ** 2],
  ['spirals', spirals(), Math.PI ** 2 / 2 + 2 * 0.1 ** 2],
  ['eight Gaussians', eightGaussians, (4 ** 2 + 0.5 ** 2) / 2 + 0.5 ** 2 / 2],
  ['twenty-five Gaussians', twentyFiveGaussians, 16 + 2 * 0.05 ** 2],
])('the mean square distance from the middle is that of the path and the noise: %s', (_, toy, wanted) => {
  const n = 200_000
  const points = toy.sample(key(6), n)
  const squares = Array.from({ length: n }, (_, i) => points[2 * i]! ** 2 + points[2 * i + 1]! ** 2)
  const mean = squares.reduce((a, b) => a + b, 0) / n
  const deviation = Math.sqrt(squares.reduce((a, b) => a + (b - mean) ** 2, 0) / n)
  expect(Math.abs(mean - wanted)).toBeLessThan((4 * deviation) / Math.sqrt(n))
})
