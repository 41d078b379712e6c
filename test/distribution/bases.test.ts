import * as tf from '@tensorflow/tfjs-core'
import {
  affine,
  atShape,
  type Base,
  classMixture,
  compiled,
  compose,
  density,
  diagonalGaussian,
  drawBase,
  drawNoise,
  factorOut,
  flow,
  fullGaussian,
  gaussianMixture,
  independent,
  input,
  key,
  type Latents,
  realNvpVector,
  standardLogistic,
  standardNormal,
  studentT,
  train,
  uniformBox,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import { randomParams } from 'diffeo/laws'
import { type AnyTensor, batch, normalArray, uniformArray, unwrap } from 'diffeo/tensor'
import { adam, constantRate, disposeState, fit, startTraining } from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

interface Case {
  readonly base: Base
  /** How many classes, if it needs a context. */
  readonly classes?: number
  /** Where its mass is, in one dimension; default: ±12 */
  readonly mass?: number
  /** Whether moments exist. */
  readonly heavy?: boolean
}
const cases: Readonly<Record<string, Case>> = {
  standardNormal: { base: standardNormal },
  standardLogistic: { base: standardLogistic, mass: 30 },
  uniformBox: { base: uniformBox(-1, 2) },
  'studentT(5)': { base: studentT(5), mass: 300 },
  'studentT(1.5)': { base: studentT(1.5), mass: 20_000, heavy: true },
  diagonalGaussian: { base: diagonalGaussian },
  fullGaussian: { base: fullGaussian },
  'gaussianMixture(3)': { base: gaussianMixture(3) },
  'classMixture(3)': { base: classMixture(3), classes: 3 },
  'classMixture(2, 4)': { base: classMixture(2, 4), classes: 2 },
}
const paramsOf = ({ base, classes }: Case, latents: Latents, seed = 1, spread = 0.5) =>
  randomParams(base.spec(latents, classes === undefined ? undefined : [classes]), key(seed), spread)
/** Context of class 1 for each of n examples. */
const contexts = ({ classes }: Case, n: number): AnyTensor | undefined =>
  classes === undefined
    ? undefined
    : trust(
        tf.tensor(
          Float32Array.from({ length: n * classes }, (_, i) => (i % classes === 1 ? 1 : 0)),
          [n, classes],
        ),
      )
const meanOf = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length

beforeAll(() => ready('cpu'))

describe.each(Object.entries(cases))('%s', (_, of) => {
  const { base, mass = 12, heavy = false } = of
  it('integrates to 1', () => {
    tf.tidy(() => {
      const n = 20_001
      // cells that widen with the distance, for heavy tails
      const at = (i: number) => Math.sinh(Math.asinh(mass) * ((2 * i) / (n - 1) - 1))
      const points = Float32Array.from({ length: n }, (_, i) => at(i))
      const logP = values(base.logProb(paramsOf(of, [1]), trust(tf.tensor(points, [n, 1])), contexts(of, n)))
      const total = logP.reduce((s, l, i) => {
        const width = i === 0 || i === n - 1 ? 0 : (at(i + 1) - at(i - 1)) / 2
        return s + Math.exp(l) * width
      }, 0)
      expect(Math.abs(total - 1)).toBeLessThan(heavy ? 2e-2 : 2e-3)
    })
  })
  it('draws what its density says: quantiles of its draws', () => {
    tf.tidy(() => {
      const [n, params] = [20_000, paramsOf(of, [1])]
      const draws = values(drawBase(base, [1], params, key(3), n, { given: contexts(of, n) })).sort((a, b) => a - b)
      // the mass between two quantiles of the draws, by the density
      const cells = 4000
      for (const [low, high] of [
        [0.05, 0.5],
        [0.5, 0.95],
      ] as const) {
        const [a, b] = [draws[Math.floor(low * n)]!, draws[Math.floor(high * n)]!]
        const grid = Float32Array.from({ length: cells }, (_, i) => a + ((i + 0.5) * (b - a)) / cells)
        const logP = values(base.logProb(params, trust(tf.tensor(grid, [cells, 1])), contexts(of, cells)))
        const between = logP.reduce((s, l) => s + Math.exp(l), 0) * ((b - a) / cells)
        expect(Math.abs(between - (high - low))).toBeLessThan(0.02)
      }
    })
  })
  it('is over several latents: the draws have their shapes, and the log-density sums over all elements', () => {
    tf.tidy(() => {
      const latents = [[2], [2, 2, 1]] as const
      const params = paramsOf(of, latents)
      const z = drawBase(base, latents, params, key(4), 3, { given: contexts(of, 3) })
      expect(z.map((t) => unwrap(t).shape)).toEqual([
        [3, 2],
        [3, 2, 2, 1],
      ])
      const logP = values(base.logProb(params, z, contexts(of, 3)))
      expect(logP.every(Number.isFinite)).toBe(true)
      const first = values(
        base.logProb(
          params,
          z.map((t) => trust(tf.slice(unwrap(t), 0, 1))),
          contexts(of, 1),
        ),
      )
      expect(first[0]).toBeCloseTo(logP[0]!, 4)
    })
  })
  it('is −∞ at infinities and NaN for NaN, and leaves the neighbours alone', () => {
    tf.tidy(() => {
      const z = trust(tf.tensor([0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0.5], [5, 1]))
      const [a, b, c, d, e] = values(base.logProb(paramsOf(of, [1]), z, contexts(of, 5)))
      expect([b, c, d]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])
      expect([Number.isFinite(a), e]).toEqual([true, a])
    })
  })
  it('has finite gradients, far out too', () => {
    tf.tidy(() => {
      const params = paramsOf(of, [2])
      for (const far of [0.3, 30, 1e10]) {
        const z = tf.tensor([far, -0.2, 0.1, 0.4], [2, 2])
        const g = tf.grad((v) => tf.sum(unwrap(base.logProb(params, trust(v), contexts(of, 2)))))(z)
        expect([...g.dataSync()].every(Number.isFinite)).toBe(true)
      }
    })
  })
  it('draws nearer to the middle of a component at a lower temperature', () => {
    tf.tidy(() => {
      const params = paramsOf(of, [1])
      const spread = (temperature: number) => {
        const v = values(drawBase(base, [1], params, key(5), 2000, { temperature, given: contexts(of, 2000) }))
        const middle = v.sort((a, b) => a - b)[1000]!
        return meanOf(v.map((x) => Math.min(100, Math.abs(x - middle))))
      }
      expect(spread(0.2)).toBeLessThan(spread(1))
    })
  })
  it('draws the same from the same key, and refuses wrong options', () => {
    tf.tidy(() => {
      const params = paramsOf(of, [2])
      const draw = (seed: number) => values(drawBase(base, [2], params, key(seed), 4, { given: contexts(of, 4) }))
      expect(draw(1)).toEqual(draw(1))
      expect(draw(1)).not.toEqual(draw(2))
    })
  })
  it.each(['onnxruntime', 'wasm'] as const)(
    'compiles on %s to the same numbers, and leaves no tensors',
    async (engine) => {
      await ready('cpu')
      const f =
        of.classes === undefined
          ? flow(atShape([2], affine), base)
          : flow(atShape([2], realNvpVector({ couplings: 2, hidden: [3] }), { given: [of.classes] }), base)
      const at = (c: AnyTensor | undefined) => ('given' in f ? f.given(c as never) : f)
      const params = randomParams(f.spec, key(6), 0.3)
      const x = trust<readonly ['N', 2]>(tf.tensor(normalArray(key(7), 10), [5, 2]))
      const c = contexts(of, 5)
      const wanted = values(at(c).logProb(params)(x))
      const drawn = values(at(c).sample(params)(key(8), 5, 0.5))
      await ready(engine)
      const before = tf.memory().numTensors
      const functions = compiled(at(c))
      const [got, samples] = [await functions.logProb(params)(x), await functions.sample(params)(key(8), 5, 0.5)]
      const numbers = [[...(await unwrap(got).data())], [...(await unwrap(samples).data())]]
      tf.dispose([unwrap(got), unwrap(samples)])
      expect(tf.memory().numTensors).toBe(before)
      numbers[0]!.forEach((v, i) => {
        if (v !== wanted[i]) expect(Math.abs(v - wanted[i]!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(wanted[i]!)))
      })
      numbers[1]!.forEach((v, i) => {
        expect(Math.abs(v - drawn[i]!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(drawn[i]!)))
      })
      await functions.dispose()
      await ready('cpu')
    },
  )
})

describe('closed forms', () => {
  it('fullGaussian has the density of its covariance', () => {
    tf.tidy(() => {
      const params = {
        mean: trust(tf.tensor1d([1, -1])),
        logDiagonal: trust(tf.tensor1d([Math.log(2), Math.log(0.5)])),
        lower: trust(tf.tensor2d([9, 9, 0.7, 9], [2, 2])),
      }
      // A = [[2, 0], [0.35, 0.5]]: log p = log |A| − log 2π − ½ |A (z − μ)|²
      const [a, b] = [2 * 0.5, 0.35 * 0.5 + 0.5 * 2]
      const expected = Math.log(2 * 0.5) - Math.log(2 * Math.PI) - 0.5 * (a * a + b * b)
      const z = trust(tf.tensor([1.5, 1], [1, 2]))
      expect(values(fullGaussian.logProb(params as never, z))[0]).toBeCloseTo(expected, 5)
    })
  })
  it('fullGaussian draws with the inverse of its factor, of five dimensions too', () => {
    tf.tidy(() => {
      const params = randomParams(fullGaussian.spec([5]), key(1), 0.5)
      const noise = drawNoise(fullGaussian, [5], key(2), 4)
      const z = fullGaussian.make([5], params, noise)
      const e = unwrap(noise[0]!)
      const logDet = tf.sum(unwrap(params['logDiagonal'] as AnyTensor)).dataSync()[0]!
      const wanted = tf.sum(tf.mul(tf.square(e), -0.5), 1).dataSync()
      values(fullGaussian.logProb(params, z)).forEach((l, i) => {
        expect(l).toBeCloseTo(wanted[i]! - 2.5 * Math.log(2 * Math.PI) + logDet, 3)
      })
    })
  })
  it.each([1, 3, 30])('studentT(%s) has the density of its formula', (nu) => {
    const gamma: Readonly<Record<number, number>> = { 1: Math.PI ** -1, 3: 2 / (Math.PI * Math.sqrt(3)) }
    const at0 = values(studentT(nu).logProb({}, batch([1], [0])))[0]!
    if (gamma[nu] !== undefined) expect(Math.exp(at0)).toBeCloseTo(gamma[nu], 5)
    const at2 = values(studentT(nu).logProb({}, batch([1], [2])))[0]!
    expect(at2 - at0).toBeCloseTo((-(nu + 1) / 2) * Math.log(1 + 4 / nu), 4)
  })
  it('a mixture of one is a diagonal normal', () => {
    tf.tidy(() => {
      const one = gaussianMixture(1)
      const params = randomParams(one.spec([3]), key(1), 0.5)
      const row = (name: string) => trust(tf.reshape(unwrap(params[name] as AnyTensor), [3]))
      const diagonal = { mean: row('means'), logScale: row('logScales') }
      const z = trust(tf.tensor(normalArray(key(2), 12), [4, 3]))
      const wanted = values(diagonalGaussian.logProb(diagonal, z))
      values(one.logProb(params, z)).forEach((l, i) => {
        expect(l).toBeCloseTo(wanted[i]!, 4)
      })
    })
  })
  it('independent bases are a base for each latent', () => {
    tf.tidy(() => {
      const both = independent(diagonalGaussian, standardLogistic)
      const latents = [[2], [3]] as const
      const params = randomParams(both.spec(latents), key(1), 0.5)
      const z = drawBase(both, latents, params, key(2), 4)
      const wanted = [
        values(diagonalGaussian.logProb(params['0'] as never, z[0])),
        values(standardLogistic.logProb({}, z[1])),
      ]
      values(both.logProb(params, z)).forEach((l, i) => {
        expect(l).toBeCloseTo(wanted[0]![i]! + wanted[1]![i]!, 4)
      })
      const f = flow(atShape([4], compose(factorOut)), both)
      expect(values(f.logProb(f.init(key(0)))(f.sample(f.init(key(0)))(key(1), 3))).every(Number.isFinite)).toBe(true)
    })
  })
})

it('independent bases take the context of a conditional flow', () => {
  tf.tidy(() => {
    const f = flow(compose(input([4], { given: [2] }), factorOut), independent(standardNormal, classMixture(2)))
    const params = randomParams(f.spec, key(1), 0.5)
    const label = (c: number) => batch([2], [1 - c, c])
    const x = batch([4], [0.1, 0.2, 0.3, 0.4])
    const [z] = [trust(tf.tensor([0.3, 0.4], [1, 2]))]
    const own = (params['base'] as never)['1'] as never
    const [first, second] = [0, 1].map((c) => values(f.given(label(c)).logProb(params)(x))[0]!)
    const [a, b] = [0, 1].map((c) => values(classMixture(2).logProb(own, z, label(c)))[0]!)
    expect(first! - second!).toBeCloseTo(a! - b!, 4)
    expect(unwrap(f.given(label(1)).sample(params)(key(2), 3)).shape).toEqual([3, 4])
  })
})

describe('what does not fit is refused', () => {
  it.each<readonly [string, () => unknown, string]>([
    ['a box upside down', () => uniformBox(2, 1), 'uniformBox: expected an upper bound above the lower, got 1'],
    ['no degrees of freedom', () => studentT(0), 'studentT: expected a number of degrees of freedom above 0'],
    ['no components', () => gaussianMixture(0), 'gaussianMixture: expected a whole number of components from 1, got 0'],
    [
      'classes without a context',
      () => flow(atShape([2], affine), classMixture(3)),
      'classMixture: expected a context of 3, one number for each class, got none; start the flow with input(shape, { given: [3] })',
    ],
    [
      'another number of classes',
      () => flow(atShape([2], affine, { given: [4] }), classMixture(3)),
      'classMixture: expected a context of 3, one number for each class, got 4',
    ],
    [
      'another number of latents',
      () => flow(atShape([2], affine), independent(standardNormal, standardNormal)),
      'independent: expected 2 latents, one for each base, got 1: 2',
    ],
  ])('%s', (_, make, sentence) => {
    expect(make).toThrow(sentence)
  })
})

describe('learned bases', () => {
  beforeAll(async () => {
    await ready('onnxruntime')
  })
  it('a diagonal normal learns N(μ, σ²): within 0.01 nats of the exact density', async () => {
    const [mu, sigma] = [
      [3, -2],
      [0.5, 4],
    ] as const
    const rows = normalArray(key(1), 20_000).map((e, i) => mu[i % 2]! + sigma[i % 2]! * e)
    const f = flow(input([2]), diagonalGaussian)
    const model = await train(f, rows, { key: key(0), steps: 3000, learningRate: 2e-2, batch: 1000 })
    const x = normalArray(key(2), 20_000).map((e, i) => mu[i % 2]! + sigma[i % 2]! * e)
    const { nats } = await model.evaluate(x)
    const exact = meanOf(
      Array.from({ length: 10_000 }, (_, i) =>
        [0, 1].reduce(
          (sum, j) =>
            sum + 0.5 * ((x[2 * i + j]! - mu[j]!) / sigma[j]!) ** 2 + Math.log(sigma[j]!) + 0.5 * Math.log(2 * Math.PI),
          0,
        ),
      ),
    )
    expect(Math.abs(nats - exact)).toBeLessThan(0.01)
    await model.dispose()
  }, 60_000)
  it('a mixture finds clusters with its first batch', async () => {
    const centres = [
      [5, 5],
      [-5, 5],
      [0, -6],
    ] as const
    const n = 300
    const rows = normalArray(key(1), 2 * n).map((e, i) => 0.3 * e + centres[Math.floor(i / 2) % 3]![i % 2]!)
    const f = flow(input([2]), gaussianMixture(3))
    const x = batch([2], rows)
    const state = await startTraining(f, adam(), key(0), x)
    const means = values((state.params['base'] as never)['means'] as AnyTensor)
    for (const centre of centres)
      expect(
        Math.min(...[0, 1, 2].map((i) => Math.hypot(means[2 * i]! - centre[0], means[2 * i + 1]! - centre[1]))),
      ).toBeLessThan(0.1)
    const nats = -meanOf(values(f.logProb(state.params)(x)))
    expect(nats).toBeLessThan(Math.log(3) + 2 * (0.5 * Math.log(2 * Math.PI * Math.E) + Math.log(0.3)) + 0.1)
    disposeState(state)
    unwrap(x).dispose()
  })
  it('a mixture for each class tells two classes apart', async () => {
    const labelled = (seed: number, n: number) => {
      const classes = Array.from(uniformArray(key(seed), n), (u) => (u < 0.5 ? 0 : 1))
      const noise = normalArray(key(seed + 1), 2 * n)
      const x = noise.map((e, i) => 0.5 * e + (classes[Math.floor(i / 2)] === 0 ? -1 : 1))
      return { classes, x, given: classes.flatMap((c) => [1 - c, c]) }
    }
    const f = density([2], realNvpVector({ couplings: 2, hidden: [8] }), classMixture(2), { given: [2] })
    const model = await train(f, labelled(1, 2000), { key: key(0), steps: 300, learningRate: 5e-3 })
    const { classes, x } = labelled(5, 500)
    const [first, second] = [await model.given([[1, 0]]).logProb(x), await model.given([[0, 1]]).logProb(x)]
    const right = classes.filter((c, i) => (second[i]! > first[i]! ? 1 : 0) === c).length / 500
    expect(right).toBeGreaterThan(0.97) // the best is 0.998
    await model.dispose()
  }, 60_000)
  it('resume and start keep the base in the state', async () => {
    const f = flow(atShape([2], affine), gaussianMixture(2))
    const rows = Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(i)])
    const model = await train(f, rows, { key: key(0), steps: 3 })
    expect(Object.keys(model.params)).toEqual(['bijector', 'base'])
    for await (const event of fit(f, model.state, {
      optimiser: adam(),
      learningRate: constantRate(1e-3),
      steps: 0,
      batch: () => batch([2], [0, 0]),
    }))
      if (event._tag === 'Stopped') disposeState(event.state)
    await model.dispose()
  })
})
