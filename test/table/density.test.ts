/** Densities over tables: exact in the table's units, conditional, and bounds on probabilities of whole numbers. */
import { key, maf, nsf, permute, train } from 'diffeo'
import { tableFrom, tabular } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import { normalArray, uniformArray } from '../../src/tensor/random.js'

beforeAll(() => ready('onnxruntime'))

const small = nsf({ layers: 2, hidden: [32], autoregressive: true })
/** Seven columns as the preprocessing leaves them. */
const identityLayers = permute([0, 1, 2, 3, 4, 5, 6]) as never
const quick = { batch: 256, learningRate: 5e-3 }
const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length

describe('the preprocessing of a table', () => {
  const n = 400
  const [a, b] = [normalArray(key(1), n), uniformArray(key(2), n)]
  const table = tableFrom(
    {
      plain: Array.from(a, (v) => 50 + 4 * v),
      rate: Array.from(a, (v) => Math.exp(2 + v)),
      share: Array.from(b, (v) => 10 * v),
      turn: Array.from(b, (v, i) => 360 * ((v + i) % 1)),
      rank: Array.from(a, (v) => v ** 3),
      count: Array.from(b, (v) => Math.floor(6 * v)),
      kind: Array.from(b, (v) => (v < 0.4 ? 'x' : v < 0.7 ? 'y' : 'z')),
    },
    {
      columns: { rate: 'positive', share: 'bounded:0:10', turn: 'angle:360', rank: 'quantile' },
    },
  )
  it('has the log-det of each column, by hand', async () => {
    const { density, rows, columns } = tabular(table, { layers: identityLayers })
    const record = { plain: 47.25, rate: 9.5, share: 3.5, turn: columns[3]!.low + 100, rank: 0.75, count: 2, kind: 'y' }
    const x = rows([record])
    const params = density.init(key(0))
    const logProb = density.logProb(params)(T.batch([7], [...x]) as never)
    const got = (await T.toArray(logProb))[0]!
    const normal = (z: number): number => -(z * z) / 2 - Math.log(2 * Math.PI) / 2
    const of = (name: string) => columns.find((c) => c.name === name)!
    const standard = (name: string, seen: number, logSlope: number): number => {
      const { mean: m, deviation: s } = of(name)
      return normal((seen - m) / s) - Math.log(s) + logSlope
    }
    const bounded = (name: string, value: number): number => {
      const { low, high } = of(name)
      const p = 0.005 + (0.99 * (value - low)) / (high - low)
      return standard(name, Math.log(p / (1 - p)), Math.log(0.99 / (high - low)) - Math.log(p) - Math.log(1 - p))
    }
    const { knots = [] } = of('rank')
    const at1 = knots.findIndex(([v]) => v > 0.75)
    // rational-quadratic spline of Durkan et al. 2019, Eq. 4 and 5, in doubles
    const [[x0, y0], [x1, y1]] = [knots[at1 - 1]!, knots[at1]!]
    const slope = (i: number): number => (knots[i + 1]![1] - knots[i]![1]) / (knots[i + 1]![0] - knots[i]![0])
    const [s, d0, d1] = [
      slope(at1 - 1),
      2 / (1 / slope(at1 - 2) + 1 / slope(at1 - 1)),
      2 / (1 / slope(at1 - 1) + 1 / slope(at1)),
    ]
    const xi = (0.75 - x0) / (x1 - x0)
    const below = s + (d1 + d0 - 2 * s) * xi * (1 - xi)
    const z = y0 + ((y1 - y0) * (s * xi ** 2 + d0 * xi * (1 - xi))) / below
    const derivative = (s ** 2 * (d1 * xi ** 2 + 2 * s * xi * (1 - xi) + d0 * (1 - xi) ** 2)) / below ** 2
    const wanted =
      standard('plain', 47.25, 0) +
      standard('rate', Math.log(9.5), -Math.log(9.5)) +
      bounded('share', 3.5) +
      bounded('turn', record.turn) +
      normal(z) +
      Math.log(derivative) +
      standard('count', 2.5, 0) +
      standard('kind', 1.5, 0)
    expect(Math.abs(got - wanted)).toBeLessThan(1e-4)
  })
})

describe('a density over a table', () => {
  it('draws from the conditional of a joint Gaussian', async () => {
    // y = 2x + 1 + 0.5 noise, so y | x = 1.5 is N(4, 0.5²)
    const [x, noise] = [normalArray(key(3), 4000), normalArray(key(4), 4000)]
    const table = tableFrom({ x: [...x], y: Array.from(x, (v, i) => 2 * v + 1 + 0.5 * noise[i]!) })
    const lines = tabular(table, { given: ['x'], layers: maf({ layers: 1, hidden: [32], activation: 'tanh' }) })
    await using model = await train(lines.density, lines, { key: key(0), steps: 1500, ...quick })
    const at = model.given(lines.context({ x: 1.5 }))
    const draws = lines.records(await at.sample(4000, { key: key(5) })).map(({ y }) => y as number)
    const m = mean(draws)
    const deviation = Math.sqrt(mean(draws.map((y) => (y - m) ** 2)))
    expect(Math.abs(m - 4)).toBeLessThan(0.1)
    expect(Math.abs(deviation - 0.5)).toBeLessThan(0.05)
    // log N(4; 4, 0.5²), in the units of the table
    const [logProb] = await at.logProb(lines.rows([{ y: 4 }]))
    expect(Math.abs(logProb! - (-Math.log(0.5) - Math.log(2 * Math.PI) / 2))).toBeLessThan(0.15)
  }, 60_000)
  it('bounds the probability of whole numbers from below, closely', async () => {
    // geometric: P(k) = 0.5^(k+1), with an entropy of 2 log 2
    const k = Array.from(uniformArray(key(6), 6000), (u) => Math.floor(Math.log(1 - u) / Math.log(0.5)))
    const coins = tabular(tableFrom({ k }, { columns: { k: 'integer' } }), { layers: small })
    await using model = await train(coins.density, coins, { key: key(0), steps: 800, ...quick })
    const noise = uniformArray(key(7), k.length)
    const scores = await model.logProb(k.map((value, i) => [value + noise[i]!]))
    const bound = mean(scores) + coins.logSteps
    const truth = -2 * Math.log(2)
    // the sample's own entropy differs by 0.02
    expect(bound).toBeLessThan(truth + 0.06)
    expect(bound).toBeGreaterThan(truth - 0.25)
    for (const record of coins.records(await model.sample(50, { key: key(8) })))
      expect(Number.isInteger(record['k']) && (record['k'] as number) >= 0).toBe(true)
  }, 60_000)
  it('refuses records and contexts that do not fit', () => {
    const table = tableFrom({ x: [0.5, 1.5, 2.75], city: ['Rome', 'Oslo', 'Rome'] })
    const towns = tabular(table, { given: ['city'] })
    expect([...towns.context({ city: 'Rome' }, { city: 'Oslo' })]).toEqual([0, 1, 1, 0])
    expect(() => towns.context({ city: 'Bern' })).toThrow("expected one of Oslo, Rome in column 'city', got 'Bern'")
    expect(() => towns.rows([{ y: 1 }])).toThrow('rows: record 0: expected values of x, got none of x')
    expect(() => towns.rows([{ x: 1, y: 1 }])).toThrow("expected columns among x, got 'y'")
    expect(() => tabular(table, { given: ['town'] })).toThrow("expected columns among x, city, got 'town'")
    expect(() => tabular(table, { given: ['x', 'city'] })).toThrow('expected at least one column to model, got none')
  })
})
