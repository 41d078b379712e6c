/** Numbers that float32 must hold: at the ends of pixels, at saturation, through depth. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  atShape,
  batchNorm,
  channelwise,
  checkerboard,
  compose,
  coupling,
  describeError,
  flip,
  halves,
  input,
  key,
  logit,
  mlp,
  resnet,
  reverse,
} from 'diffeo'
import { randomBatch, randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

const relative = (got: readonly number[], expected: readonly number[]): number =>
  Math.max(...got.map((v, i) => Math.abs(v - expected[i]!))) / Math.max(...expected.map(Math.abs))

describe('logit', () => {
  const f = atShape([1], logit()).bind({})
  const at = (...x: number[]) => trust(tf.tensor(x, [x.length, 1])) as never
  // log p − log(1 − p), p = .05 + .9x/256, in doubles
  it.each([0, 255, 255.999])('at %d, and back', (x) => {
    tf.tidy(() => {
      const p = 0.05 + (0.9 * Math.fround(x)) / 256
      const [y, logDet] = f.forward(at(x))
      expect(values(y)[0]).toBeCloseTo(Math.log(p / (1 - p)), 5)
      expect(values(logDet)[0]).toBeCloseTo(Math.log(0.9 / 256 / (p * (1 - p))), 5)
      const [back, inverseLogDet] = f.inverse(y)
      // a rounding of p at 256/.9 levels a unit
      expect(Math.abs(values(back)[0]! - x)).toBeLessThan(256 * 2 ** -22)
      expect(values(inverseLogDet)[0]).toBeCloseTo(-values(logDet)[0]!, 5)
    })
  })
  it.each([12, 17, 30, 100])('of ±%d: the inverse is a value that forward takes, and its log-det is exact', (y) => {
    tf.tidy(() => {
      const [x, logDet] = f.inverse(at(-y, y))
      const [again] = f.forward(x as never)
      for (const v of values(again)) expect(Math.abs(v)).toBeGreaterThan(Math.min(y, 14) - 0.1)
      for (const v of values(again)) expect(Math.abs(v)).toBeLessThan(16)
      for (const v of values(logDet))
        expect(v).toBeCloseTo(-(y + 2 * Math.log1p(Math.exp(-y)) + Math.log(0.9 / 256)), 3)
    })
  })
})

describe('couplings', () => {
  it('start with scales of 1: at 0 neither they nor their nets would ever have a gradient', () => {
    const { scale } = atShape([4], coupling(halves(), mlp())).init(key(0))
    expect(values(scale)).toEqual([1, 1])
  })
  it('whose tanh is saturated round trip, and have the log-det of their scales', () => {
    tf.tidy(() => {
      const b = atShape([4], coupling(halves(), mlp({ hidden: [8] })))
      const params = randomParams(b.spec, key(1), 30) // pre-activations in the thousands, scales of about ±30
      const bounded = { ...params, scale: trust(tf.tensor([2.5, -2.5])) as AnyTensor }
      const x = randomBatch([4], [-2, 2], 8, key(2)) as never
      const f = b.bind(bounded)
      const [z, logDet] = f.forward(x)
      const [back, inverse] = f.inverse(z)
      // the shift is in the thousands: x is what rounding of it leaves
      const shift = Math.max(...values(z).map(Math.abs))
      values(back).forEach((v, i) => {
        expect(Math.abs(v - values(x)[i]!)).toBeLessThan(Math.exp(2.5) * shift * 2 ** -22)
      })
      for (const v of values(logDet)) expect([-5, 0, 5].some((s) => Math.abs(v - s) < 1e-4)).toBe(true)
      values(inverse).forEach((v, i) => {
        expect(v).toBeCloseTo(-values(logDet)[i]!, 6)
      })
    })
  })

  const net = mlp({ hidden: [16], activation: 'tanh' })
  const images = resnet({ width: 4, blocks: 1, norm: 'instance' })
  const deep: Readonly<Record<string, AnyBijector>> = {
    'a vector of 8': compose(
      input([8]),
      ...Array.from({ length: 32 }, (_, i) => coupling(halves(i % 2 === 0 ? 'first' : 'second'), net)),
    ) as never,
    'an image of 4×4×2': compose(
      input([4, 4, 2]),
      ...Array.from({ length: 32 }, (_, i) =>
        i % 2 === 0
          ? coupling(checkerboard(i % 4 === 0 ? 'even' : 'odd'), images)
          : coupling(channelwise(i % 4 === 1 ? 'first' : 'second'), images),
      ),
    ) as never,
  }
  it.each(Object.entries(deep))('32 of them round trip to 1e-4, %s', (_, b) => {
    for (const seed of [1, 2, 3])
      tf.tidy(() => {
        const f = b.bind(randomParams(b.spec, key(seed), 0.2))
        const x = randomBatch(b.domain, [-2, 2], 4, key(seed + 10))
        const [z, logDet] = f.forward(x)
        const [back, inverse] = f.inverse(z)
        expect(relative(values(z), values(x))).toBeGreaterThan(0.5) // it has moved
        expect(relative(values(back), values(x))).toBeLessThanOrEqual(1e-4)
        expect(relative(values(f.forward(back as never)[0]), values(z))).toBeLessThanOrEqual(1e-4)
        expect(Math.abs(values(logDet)[0]! + values(inverse)[0]!)).toBeLessThan(1e-4 * Math.abs(values(logDet)[0]!))
      })
  })
})

describe('sumEvent of numbers', () => {
  it('is a tensor of its own', () => {
    const x = tf.tensor([1, 2])
    const sum = T.sumEvent(trust(x))
    unwrap(sum).dispose()
    expect([...x.dataSync()]).toEqual([1, 2])
    x.dispose()
  })
})

describe('softplus', () => {
  it('has the slope ½ at 0', () => {
    tf.tidy(() => {
      const slope = tf.grad((x: tf.Tensor) => tf.sum(unwrap(T.softplus(trust(x)))))(tf.tensor([-1, 0, 1]))
      const sigma = (x: number) => 1 / (1 + Math.exp(-x))
      ;[-1, 0, 1].forEach((x, i) => {
        expect(slope.dataSync()[i]).toBeCloseTo(sigma(x), 6)
      })
    })
  })
})

describe('reverse of what learns from data', () => {
  it.each([
    ['actNorm', actNorm],
    ['batchNorm', batchNorm()],
    ['coupling', coupling(checkerboard(), resnet({ width: 2, blocks: 1, norm: 'batch' }))],
    ['compose', compose(flip, actNorm)],
  ])('is refused: %s', (name, layer) => {
    const sentence = `reverse: expected a bijector without statistics of the data, got ${name}; reverse it with its parameters bound: Diffeo.reverse(b.bind(params))`
    expect(pipe(reverse(layer as never as typeof actNorm).at([2, 2, 2]), E.mapLeft(describeError))).toEqual(
      E.left(sentence),
    )
    expect(() => reverse(atShape([2, 2, 2], layer as never as typeof actNorm))).toThrow(sentence)
  })
})
