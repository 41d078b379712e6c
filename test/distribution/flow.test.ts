import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  type Base,
  type Bijector,
  compose,
  coupling,
  dequantise,
  drawBase,
  exponentialCdf,
  type Flow,
  factorOut,
  flow,
  halves,
  input,
  type Key,
  key,
  logisticCdf,
  logit,
  mlp,
  normalCdf,
  realNvp,
  realNvpVector,
  reverse,
  type Shape,
  standardLogistic,
  standardNormal,
  toBitsPerDim,
  uniformCdf,
} from 'diffeo'
import { randomBatch, randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, type BatchOf, type Params, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { tensors, values } from '../support.js'

// biome-ignore lint/suspicious/noExplicitAny: invariant parameters have no other top
type AnyFlow = Flow<any, any>
/** A flow over one tensor, as the tests call it. */
interface Calls {
  readonly bijector: AnyBijector
  readonly base: Base
  readonly logProb: (params: Params) => (x: AnyTensor) => AnyTensor
  readonly train: (params: Params) => (x: AnyTensor) => readonly [AnyTensor, Params]
  readonly bitsPerDim: (params: Params) => (x: AnyTensor) => AnyTensor
  readonly sample: (params: Params) => (key: Key, n: number, temperature?: number) => AnyTensor
}
const calls = (f: AnyFlow): Calls => f as object as Calls
const meanOf = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length
const rows = (list: readonly (readonly number[])[]): AnyTensor =>
  trust(tf.tensor(list.flat(), [list.length, list[0]!.length]))
const total = (f: AnyFlow, params: Params, points: readonly (readonly number[])[]): number =>
  T.tidy(() => values(calls(f).logProb(params)(rows(points))).reduce((s, l) => s + Math.exp(l), 0))

describe('logProb integrates to 1', () => {
  type Line = Bijector<readonly [1], readonly [1]>
  const both = [standardNormal, standardLogistic]
  const start = compose(input([1]), affine, logisticCdf(0.5, 1.5))
  const line: Readonly<Record<string, readonly [b: Line, low: number, high: number, bases: readonly Base[]]>> = {
    affine: [atShape([1], affine), -25, 25, both],
    // within ±17 no probability rounds to 1
    'affine, logistic, normal': [compose(start, reverse(normalCdf())), -17, 17, [standardNormal]],
    'affine, logistic, uniform, logistic': [
      compose(start, reverse(uniformCdf(1, 3)), uniformCdf(1, 3), reverse(logisticCdf(1, 2))),
      -17,
      17,
      both,
    ],
    logit: [compose(input([1]), logit({ alpha: 0, bins: 1 }), affine), 0, 1, both],
    'uniform, logistic, actNorm': [
      compose(input([1]), uniformCdf(-1, 2), reverse(logisticCdf()), actNorm),
      -1,
      2,
      both,
    ],
    // what lies outside adds nothing
    'uniform of less than the points': [compose(input([1]), uniformCdf(-1, 2), reverse(logisticCdf())), -4, 5, both],
    'exponential of more than its half line': [
      compose(input([1]), exponentialCdf(2), reverse(normalCdf())),
      -10,
      20,
      [standardNormal],
    ],
  }
  it.each(
    Object.entries(line).flatMap(([name, [b, low, high, bases]]) =>
      bases.map((base) => [`${name}, ${base.name}`, flow(b, base), low, high] as const),
    ),
  )('in one dimension: %s', (_, f, low, high) => {
    for (const seed of [1, 2, 3]) {
      const n = 20_000
      const width = (high - low) / n
      const points = Array.from({ length: n }, (_, i) => [low + (i + 0.5) * width])
      expect(total(f, randomParams(f.bijector.spec, key(seed), 0.1), points) * width).toBeCloseTo(1, 2)
    }
  })
  it.each([1, 2, 3])('in the plane: a Real NVP with random parameters, seed %i', (seed) => {
    const net = mlp({ hidden: [8], activation: 'tanh' })
    const b = compose(input([2]), coupling(halves(), net), actNorm, coupling(halves('second'), net), affine)
    const f = flow(b, standardNormal)
    const n = 240
    const [low, high] = [-12, 12]
    const width = (high - low) / n
    const at = (i: number) => low + (i + 0.5) * width
    const points = Array.from({ length: n * n }, (_, i) => [at(Math.floor(i / n)), at(i % n)])
    expect(total(f, randomParams(b.spec, key(seed)), points) * width * width).toBeCloseTo(1, 2)
  })
})

describe('bitsPerDim of a density of known entropy', () => {
  // every level of the four pixels, with noise, in one batch
  const shape = [2, 2, 1] as const
  type Pixels = BatchOf<readonly [2, 2, 1]>
  const noisy = (seed: number): Pixels =>
    T.tidy(() => {
      const levels = Array.from({ length: 4 * 256 }, (_, i) => Math.floor(i / 4))
      return dequantise<typeof shape>(key(seed)).forward(trust(tf.tensor(levels, [256, ...shape])))[0]
    })
  const exactly = (f: AnyFlow, expected: number, digits: number): void => {
    const x = noisy(1)
    for (const bits of T.tidy(() => values(calls(f).bitsPerDim({})(x)))) expect(bits).toBeCloseTo(expected, digits)
    unwrap(x).dispose()
  }

  it('is 8 for bytes that are all as likely, by the uniform, the logistic and the logit', () => {
    // uniform on [0, 256), turned into the base's own distribution: each byte costs 8 bits, whatever it is
    const toLogistic = reverse(logisticCdf())
    exactly(flow(compose(input(shape), uniformCdf(0, 256), toLogistic), standardLogistic), 8, 4)
    exactly(flow(compose(input(shape), logit({ alpha: 0 })), standardLogistic), 8, 4)
    exactly(flow(compose(input(shape), uniformCdf(0, 256), reverse(normalCdf())), standardNormal), 8, 3)
  })
  it('is log₂ of the number of levels', () => {
    for (const bins of [2, 16]) {
      const f = flow(atShape(shape, logit({ alpha: 0, bins })), standardLogistic)
      tf.tidy(() => {
        for (const bits of values(f.bitsPerDim({})(randomBatch(shape, [0.01, bins - 0.01], 20, key(2)) as Pixels)))
          expect(bits).toBeCloseTo(Math.log2(bins), 4)
      })
    }
  })
  it('is 8 + log₂ of the mass between the margins, for the logit with its α', () => {
    // p in [.05, .95] under the standard logistic has the density 1, of which .9 falls on 256 levels
    exactly(flow(atShape(shape, logit()), standardLogistic), 8 - Math.log2(0.9), 4)
  })
  it('is the entropy on average, for samples of the flow itself', () => {
    // a logit-normal: h(x) = h(z) + E log|dx/dz|, of which z ~ N(0, 1) gives h(z) = ½ log 2πe
    const b = atShape(shape, logit({ alpha: 0, bins: 256 }))
    const f = flow(b, standardNormal)
    tf.tidy(() => {
      const n = 5_000
      const x = f.sample({})(key(3), n)
      // E[log σ'(z)] by quadrature
      const step = 1e-3
      const expected = Array.from({ length: 16_000 }, (_, i) => -8 + (i + 0.5) * step).reduce((sum, z) => {
        const density = Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI)
        return sum + density * step * (-Math.abs(z) - 2 * Math.log1p(Math.exp(-Math.abs(z))))
      }, 0)
      const entropy = (0.5 * Math.log(2 * Math.PI * Math.E) + expected + Math.log(256)) / Math.LN2
      expect(meanOf(values(f.bitsPerDim({})(x)))).toBeCloseTo(entropy, 1)
    })
  })
  it('is −log p / (D log 2), as toBitsPerDim says it', () => {
    const f = flow(atShape([2, 2, 1], affine), standardNormal)
    tf.tidy(() => {
      const params = randomParams(f.bijector.spec, key(4))
      const x = randomBatch([2, 2, 1], [-1, 1], 3, key(5)) as Pixels
      const logProb = values(f.logProb(params)(x))
      values(f.bitsPerDim(params)(x)).forEach((bits, i) => {
        expect(bits).toBeCloseTo(toBitsPerDim(logProb[i]!, 4), 5)
      })
      expect(toBitsPerDim(-8 * Math.LN2 * 3, 3)).toBeCloseTo(8, 12)
    })
  })
})

const flows: Readonly<Record<string, readonly [flow: AnyFlow, low: number, high: number, tolerance: number]>> = {
  vector: [flow(atShape([3], realNvpVector({ couplings: 4, hidden: [8] })), standardNormal), -2, 2, 1e-3],
  'vector, logistic': [flow(atShape([3], realNvpVector({ couplings: 2, hidden: [8] })), standardLogistic), -2, 2, 1e-3],
  image: [
    flow(atShape([4, 4, 1], realNvp({ scales: 2, width: 2, blocks: 1, norm: 'none' })), standardNormal),
    30,
    220,
    1e-3,
  ],
  'several latents': [flow(atShape([2, 2, 4], compose(affine, factorOut, actNorm)), standardLogistic), -2, 2, 1e-4],
}
describe.each(Object.entries(flows))('a flow: %s', (_, [made, low, high, tolerance]) => {
  const f = calls(made)
  const b = f.bijector
  const params = () => randomParams(b.spec, key(1), 0.2)
  const draw = (n: number, seed: number) => randomBatch(b.domain as Shape, [low, high], n, key(seed))

  it('logProb is log p_Z(f(x)) + log |det ∂f/∂x|', () => {
    tf.tidy(() => {
      const [p, x] = [params(), draw(3, 2)]
      const [z, logDet] = b.bind(p).forward(x)
      const expected = values(f.base.logProb({}, z)).map((l, i) => l + values(logDet)[i]!)
      values(f.logProb(p)(x)).forEach((l, i) => {
        expect(l).toBeCloseTo(expected[i]!, 4)
      })
      const [trained, next] = f.train(p)(x)
      expect(values(trained)).toEqual(values(f.logProb(p)(x)))
      expect(next).toEqual(p)
    })
  })
  it('sample is the inverse of the base’s draw, and forward takes it back', () => {
    tf.tidy(() => {
      const p = params()
      const z = drawBase(f.base, b.codomain as Shape, {}, key(3), 4) as unknown
      const x = f.sample(p)(key(3), 4)
      expect(unwrap(x).shape).toEqual([4, ...(b.domain as Shape)])
      expect(values(x)).toEqual(values(b.bind(p).inverse(z as never)[0]))
      const back = values(b.bind(p).forward(x as never)[0])
      values(z).forEach((v, i) => {
        expect(Math.abs(back[i]! - v)).toBeLessThan(tolerance * Math.max(1, Math.abs(v)))
      })
    })
  })
  it('its own samples have a finite logProb, higher on average at a lower temperature', () => {
    tf.tidy(() => {
      const p = params()
      const at = (temperature: number) => {
        const z = drawBase(f.base, b.codomain as Shape, {}, key(4), 50, { temperature }) as unknown
        const [x, logDet] = b.bind(p).inverse(z as never)
        const logProb = values(f.logProb(p)(x as AnyTensor))
        expect(logProb.every(Number.isFinite)).toBe(true)
        // the base's part, without the volume
        return meanOf(logProb.map((l, i) => l + values(logDet)[i]!))
      }
      expect(at(0.5)).toBeGreaterThan(at(1))
    })
  })
  it('temperature 0 gives what the base’s mode stands for, each time', () => {
    tf.tidy(() => {
      const p = params()
      const mode = tensors(drawBase(f.base, b.codomain as Shape, {}, key(5), 1, { temperature: 0 }) as unknown)
      expect(mode.flatMap(values).every((v) => v === 0)).toBe(true)
      const [first, second] = tf.split(unwrap(f.sample(p)(key(6), 2, 0)), 2).map((t) => [...t.dataSync()])
      expect(second).toEqual(first)
      const zero = mode.length === 1 ? mode[0] : mode
      expect(first).toEqual(values(b.bind(p).inverse(zero as never)[0]))
    })
  })
  it('a sample is a function of its key', () => {
    tf.tidy(() => {
      const p = params()
      expect(values(f.sample(p)(key(7), 2))).toEqual(values(f.sample(p)(key(7), 2)))
      expect(values(f.sample(p)(key(7), 2))).not.toEqual(values(f.sample(p)(key(8), 2)))
    })
  })
})
