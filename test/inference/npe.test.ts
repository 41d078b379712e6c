/** Neural posterior estimation against posteriors in closed form, its diagnostics, and simulators that fail. */
import * as tf from '@tensorflow/tfjs-core'
import { type Key, key, maf } from 'diffeo'
import { ready } from 'diffeo/engine'
import { foldIn, normalArray } from 'diffeo/tensor'
import { boxPrior, calibration, normalPrior, npe, type PosteriorEstimate, simulatorProcess } from 'diffeo/train'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kolmogorov } from '../../src/inference/calibration.js'

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length
const column = (data: ArrayLike<number>, size: number, at: number) => Array.from(data).filter((_, i) => i % size === at)
const deviation = (values: readonly number[]): number => {
  const m = mean(values)
  return Math.sqrt(mean(values.map((v) => (v - m) ** 2)))
}

/** x = θ + noise of deviation ½; θ ~ N(0, 1), so θ | x ~ N(0.8x, 0.2). */
const linear = (parameters: Float32Array, k: Key) => normalArray(k, 2).map((z, i) => parameters[i]! + 0.5 * z)
const prior = normalPrior([0, 0], [1, 1])
const exact = {
  given: (x: ArrayLike<number>) => ({
    sample: async (n: number, { key: k }: { readonly key: Key }) => ({
      shape: [n, 2] as const,
      data: normalArray(k, 2 * n).map((z, i) => 0.8 * x[i % 2]! + Math.sqrt(0.2) * z),
    }),
    logProb: async (theta: ArrayLike<number>) =>
      Float32Array.from({ length: theta.length / 2 }, (_, row) =>
        [0, 1].reduce((sum, j) => sum - (theta[2 * row + j]! - 0.8 * x[j]!) ** 2 / 0.4, 0),
      ),
  }),
}
const layers = maf({ layers: 2, hidden: [32], activation: 'tanh' })

beforeAll(() => ready('onnxruntime'))

describe('an estimate of a linear Gaussian posterior', () => {
  let posterior: PosteriorEstimate
  beforeAll(async () => {
    posterior = await npe(linear, prior, { key: key(0), simulations: 4000, steps: 800, layers, learningRate: 5e-3 })
  }, 60_000)
  afterAll(() => posterior.dispose())
  it('has its mean, deviation and density', async () => {
    const at = posterior.given([1, -0.5])
    const { data } = await at.sample(4000, { key: key(1) })
    expect(Math.abs(mean(column(data, 2, 0)) - 0.8)).toBeLessThan(0.06)
    expect(Math.abs(mean(column(data, 2, 1)) + 0.4)).toBeLessThan(0.06)
    expect(Math.abs(deviation(column(data, 2, 0)) - Math.sqrt(0.2))).toBeLessThan(0.04)
    const [logProb] = await at.logProb([0.8, -0.4])
    expect(Math.abs(logProb! + Math.log(2 * Math.PI * 0.2))).toBeLessThan(0.2)
  })
  it('is calibrated, and leaves no tensors behind', async () => {
    await posterior.given([0, 0]).sample(100, { key: key(0) })
    const before = tf.memory().numTensors
    const check = await calibration(posterior, linear, prior, { key: key(3), trials: 100, draws: 100 })
    expect(check.verdict).toBe('calibrated as far as 100 trials tell')
    expect(tf.memory().numTensors).toBe(before)
  })
  it('is the same for the same key', async () => {
    const options = { key: key(4), simulations: 200, steps: 5, layers }
    const [a, b] = [await npe(linear, prior, options), await npe(linear, prior, options)]
    const at = async (p: PosteriorEstimate) => (await p.given([1, 2]).sample(3, { key: key(0) })).data
    expect(await at(a)).toEqual(await at(b))
    await a.dispose()
    await b.dispose()
  })
})

describe('a bounded prior', () => {
  it('bounds the posterior, and rounds go where it has its mass', async () => {
    const box = boxPrior([-3, 0], [3, 1])
    const simulator = (p: Float32Array, k: Key) => normalArray(k, 2).map((z, i) => p[i]! + 0.1 * z)
    const observation = [2.9, 0.02]
    await using posterior = await npe(simulator, box, {
      key: key(0),
      rounds: 2,
      simulations: 1000,
      steps: 300,
      observation,
      layers,
      learningRate: 5e-3,
    })
    const { data } = await posterior.given(observation).sample(2000, { key: key(1) })
    for (const [j, [low, high]] of [
      [-3, 3],
      [0, 1],
    ].entries())
      for (const value of column(data, 2, j)) {
        expect(value).toBeGreaterThanOrEqual(low!)
        expect(value).toBeLessThanOrEqual(high!)
      }
    const [outside] = await posterior.given(observation).logProb([3.1, 0.5])
    expect(outside).toBe(Number.NEGATIVE_INFINITY)
    const { parameters, count } = posterior.simulations
    expect(count).toBe(2000)
    // the second round: near the observation
    expect(Math.abs(mean(column(parameters.slice(2000), 2, 0)) - 2.9)).toBeLessThan(0.5)
    expect(Math.abs(mean(column(parameters.slice(0, 2000), 2, 0)))).toBeLessThan(0.3)
  }, 60_000)
})

describe('a prior with one bound', () => {
  it.each([
    [[2, Number.POSITIVE_INFINITY] as const, 1],
    [[Number.NEGATIVE_INFINITY, -2] as const, -1],
  ])('bounds the posterior: %j', async (interval, sign) => {
    const [end] = interval.filter(Number.isFinite)
    const away = (k: Key, n: number) => normalArray(k, n).map((z) => end! + sign * Math.exp(z))
    const half = { size: 1, sample: away, support: [interval], scale: [[end! + sign, 1]] as const }
    const simulator = (p: Float32Array, k: Key) => normalArray(k, 1).map((z) => p[0]! + z)
    await using posterior = await npe(simulator, half, { key: key(0), simulations: 500, steps: 50, layers })
    const at = posterior.given([end!])
    const { data } = await at.sample(1000, { key: key(1) })
    for (const value of data) expect(sign * (value - end!)).toBeGreaterThanOrEqual(0)
    expect((await at.logProb([end! - sign]))[0]).toBe(Number.NEGATIVE_INFINITY)
    expect(() => posterior.given([Number.NaN])).toThrow('given: expected an observation of finite numbers, got NaN')
  })
})

describe('calibration', () => {
  const at = { key: key(5), trials: 200, draws: 100 }
  it('accepts the exact posterior', async () => {
    const { isCalibrated, ranks, tarp } = await calibration(exact, linear, prior, at)
    expect(isCalibrated).toBe(true)
    expect(ranks).toHaveLength(2)
    for (const value of tarp.values) expect(value >= 0 && value <= 1).toBe(true)
  })
  const changed = (f: (x: ArrayLike<number>) => readonly [shift: number, scale: number, at: ArrayLike<number>]) => ({
    given: (x: ArrayLike<number>) => {
      const [shift, scale, place] = f(x)
      const own = exact.given(place)
      return {
        sample: async (n: number, options: { readonly key: Key }) => {
          const { shape, data } = await own.sample(n, options)
          return { shape, data: data.map((v, i) => shift + 0.8 * place[i % 2]! + (v - 0.8 * place[i % 2]!) * scale) }
        },
        logProb: (theta: ArrayLike<number>) =>
          own.logProb(Array.from(theta, (v, i) => (v - shift - 0.8 * place[i % 2]!) / scale + 0.8 * place[i % 2]!)),
      }
    },
  })
  it.each([
    ['too narrow', changed((x) => [0, 0.5, x]), 'its regions of highest density are too narrow'],
    ['too wide', changed((x) => [0, 2, x]), 'its regions of highest density are too wide'],
    ['shifted', changed((x) => [0.4, 1, x]), 'the ranks of parameter 0 are not uniform'],
  ])('finds an estimate that is %s', async (_, estimate, sentence) => {
    const { isCalibrated, verdict } = await calibration(estimate, linear, prior, at)
    expect(isCalibrated).toBe(false)
    expect(verdict).toMatch(/^miscalibrated: /)
    expect(verdict).toContain(sentence)
  })
  it('finds an estimate that ignores the data, by TARP alone', async () => {
    const ignorant = {
      given: () => ({
        sample: async (n: number, { key: k }: { readonly key: Key }) => ({
          shape: [n, 2] as const,
          data: normalArray(k, 2 * n),
        }),
        logProb: async (theta: ArrayLike<number>) =>
          Float32Array.from(
            { length: theta.length / 2 },
            (_, row) => -(theta[2 * row]! ** 2 + theta[2 * row + 1]! ** 2) / 2,
          ),
      }),
    }
    const { verdict, ranks } = await calibration(ignorant, linear, prior, at)
    expect(verdict).toContain('its draws lie too near to or too far from reference points')
    for (const { p } of ranks) expect(p).toBeGreaterThan(0.001)
  })
  it('finds the mean of uniform numbers near, and others far', () => {
    // tables of the Kolmogorov distribution: P(√n D > 1.358) = 0.05, P(√n D > 1.628) = 0.01
    expect(kolmogorov(1.358 / 100, 10_000)).toBeCloseTo(0.05, 2)
    expect(kolmogorov(1.628 / 100, 10_000)).toBeCloseTo(0.01, 2)
  })
})

describe('simulators', () => {
  const quick = { key: key(0), simulations: 60, steps: 3, layers }
  const every = (n: number, then: (p: Float32Array, k: Key) => ArrayLike<number>) => {
    let calls = 0
    return (p: Float32Array, k: Key) => (++calls % n === 0 ? then(p, k) : linear(p, k))
  }
  it.each([
    [
      'throws',
      () => {
        throw new Error('no solution')
      },
      'threw: no solution',
    ],
    ['returns NaN', () => [Number.NaN, 1], 'returned NaN'],
    ['returns undefined', () => [undefined as never, 1], 'returned undefined'],
    ['returns too few numbers', () => [1], 'returned 1 numbers instead of 2'],
    ['returns something else', () => 'x' as never, 'returned string instead of numbers'],
  ])('that %s now and then are counted', async (_, wrong, reason) => {
    await using posterior = await npe(every(10, wrong), prior, quick)
    expect([posterior.simulations.failed, posterior.simulations.count]).toEqual([6, 54])
    expect(posterior.simulations.reason).toBe(reason)
  })
  it('that fail most of the time are refused', async () => {
    const broken = () => {
      throw new Error('no')
    }
    await expect(npe(broken, prior, quick)).rejects.toThrow(
      'npe: expected at least half of the simulations to succeed, got 60 of 60 failed; the first threw: no',
    )
  })
  it('run in processes that read and write lines of JSON, in parallel', async () => {
    const program = `require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { parameters, seed } = JSON.parse(line)
      console.log(JSON.stringify(seed % 7 === 0 ? { error: 'unlucky' } : { data: parameters.map((p) => 2 * p) }))
    })`
    using doubling = simulatorProcess(process.execPath, ['-e', program], { processes: 2 })
    await using posterior = await npe(doubling.simulator, prior, quick)
    const { parameters, data, failed, reason } = posterior.simulations
    expect(failed).toBeLessThan(30)
    if (failed > 0) expect(reason).toBe('threw: unlucky')
    expect(Array.from(data)).toEqual(Array.from(parameters, (p) => 2 * p))
  })
  it('in processes may not write NaN, or lines that are no answers', async () => {
    const program = (data: string, first = '') => `${first}
      require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const { parameters, seed } = JSON.parse(line)
        console.log(JSON.stringify({ data: ${data} }))
      })`
    using lossy = simulatorProcess(process.execPath, ['-e', program('[parameters[0], seed % 5 ? 1 : NaN]')], {
      processes: 1,
    })
    await using posterior = await npe(lossy.simulator, prior, { ...quick, key: key(2) })
    expect(posterior.simulations.failed).toBeGreaterThan(0)
    expect(posterior.simulations.reason).toBe('returned null')
    using chatty = simulatorProcess(process.execPath, ['-e', program('parameters', "console.log('loading')")], {
      processes: 1,
    })
    await expect(npe(chatty.simulator, prior, quick)).rejects.toThrow(/wrote a line that is no answer: loading/)
  })
  it('in processes that end are failures, with the reason', async () => {
    using gone = simulatorProcess(process.execPath, ['-e', 'process.exit(3)'], { processes: 1 })
    await expect(npe(gone.simulator, prior, quick)).rejects.toThrow(/ended with code 3/)
    using none = simulatorProcess('no-such-program', [], { processes: 1 })
    await expect(npe(none.simulator, prior, quick)).rejects.toThrow(/cannot run no-such-program/)
  })
  it.each([
    [{ ...quick, simulations: 0 }, 'npe: expected a whole number of simulations'],
    [{ ...quick, rounds: 2 }, 'npe: expected an observation for more than one round, got none'],
    [{ ...quick, observation: [1], rounds: 2 }, 'npe: expected an observation of 2 numbers, got 1'],
  ])('and options that do not fit are refused', async (options, sentence) => {
    await expect(npe(linear, prior, options)).rejects.toThrow(sentence)
  })
  it('get priors that make sense', () => {
    expect(() => boxPrior([0], [0])).toThrow('boxPrior: expected every low below its high, got 0 and 0')
    expect(() => boxPrior([0, 1], [1])).toThrow('expected as many numbers in low as in high')
    expect(() => normalPrior([0], [0])).toThrow('normalPrior: expected deviations above 0, got 0')
    const draws = boxPrior([2, -1], [3, 1]).sample(foldIn(key(0), 1), 1000)
    expect(Math.min(...column(draws, 2, 0))).toBeGreaterThanOrEqual(2)
    expect(Math.abs(mean(column(draws, 2, 1)))).toBeLessThan(0.06)
  })
})
