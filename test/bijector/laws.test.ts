import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  type AnyTensor,
  additiveCoupling,
  type BatchOf,
  type Bijector,
  bijector,
  channelwise,
  checkerboard,
  coupling,
  Diffeo,
  halves,
  type Key,
  key,
  type Mask,
  mask,
  mlp,
  type Net,
  on,
  resnet,
  type Shape,
  type ShapeFn,
  T,
  unwrap,
} from 'diffeo'
import { checkLaws, laws, randomBatch } from 'diffeo/laws'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { randomParams, values } from '../support.js'
import { registry } from './registry.js'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const runs = { numRuns: 8 }
const close = (a: readonly number[], b: readonly number[], tolerance: number) => {
  expect(a.length).toBe(b.length)
  const size = Math.max(1, ...b.map(Math.abs))
  a.forEach((v, i) => {
    expect(Math.abs(v - b[i]!)).toBeLessThanOrEqual(tolerance * size)
  })
}

describe.each(Object.entries(registry))('%s', (_, { make, low, high, tolerance }) => {
  const b = make()
  it.each(Object.keys(laws) as (keyof typeof laws)[])('obeys the law: %s', (name) => {
    checkLaws(b, { domain: [low, high], tolerance }, [name])
  })
})

type Kind = 'image' | 'vector'
const net = mlp({ hidden: [8], activation: 'tanh' })
const image = resnet({ width: 3, blocks: 1, norm: 'none' })
const board = (parity: 0 | 1) => (i: number) => (Math.floor(i / 4) + (Math.floor(i / 2) % 2)) % 2 === parity
/** Every mask at a shape, and which of its flat indices it keeps. */
const masks: Readonly<Record<string, readonly [Mask<ShapeFn, Kind>, Shape, (i: number) => boolean]>> = {
  'halves first': [halves(), [5], (i) => i < 2],
  'halves second': [halves('second'), [5], (i) => i >= 2],
  'own, of a vector': [mask([3], ([i]) => i === 1), [3], (i) => i === 1],
  'checkerboard even': [checkerboard(), [2, 2, 2], board(0)],
  'checkerboard odd': [checkerboard('odd'), [2, 2, 2], board(1)],
  'channelwise first': [channelwise(), [2, 2, 2], (i) => i % 2 === 0],
  'channelwise second': [channelwise('second'), [2, 2, 2], (i) => i % 2 === 1],
  'own, of an image': [mask([2, 2, 2], ([h]) => h === 0), [2, 2, 2], (i) => i < 4],
}
const couplings = Object.entries(masks).flatMap(([name, [of, shape, keeps]]) =>
  Object.entries({ coupling, additiveCoupling }).map(([op, make]) => {
    const nets: Net<Kind> = of.kind === 'vector' ? net : image
    return [`${op}, ${name}`, on(shape, make(of, nets)) as AnyBijector, keeps] as const
  }),
)
describe.each(couplings)('%s', (_, b, keeps) => {
  it('keeps the masked positions bit for bit in both directions, and changes all others', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          const f = b.bind(randomParams(b, key(seed)))
          const x = randomBatch(b.domain, [0.5, 2], 2, key(seed + 1))
          const size = values(x).length / 2
          for (const y of [f.forward(x)[0], f.inverse(x as never)[0]]) {
            const after = values(y)
            values(x).forEach((v, i) => {
              if (keeps(i % size)) expect(after[i]).toBe(v)
              else expect(after[i]).not.toBe(v)
            })
          }
        })
      }),
      runs,
    )
  })
  it('starts as the identity', () => {
    tf.tidy(() => {
      const x = randomBatch(b.domain, [-2, 2], 2, key(0))
      const [y, logDet] = b.bind(b.init(key(1))).forward(x)
      expect(values(y)).toEqual(values(x))
      expect(values(logDet)).toEqual([0, 0])
    })
  })
  it('answers in training what it answers in evaluation, and keeps its parameters', () => {
    tf.tidy(() => {
      const params = randomParams(b, key(2))
      const x = randomBatch(b.domain, [-2, 2], 2, key(3))
      const [y, logDet] = b.bind(params).forward(x)
      for (const through of [b.train, b.start]) {
        const [trained, trainedLogDet, next] = through(params)(x)
        expect(values(trained)).toEqual(values(y))
        expect(values(trainedLogDet)).toEqual(values(logDet))
        expect(next).toEqual(params)
      }
    })
  })
})

describe('a wrong bijector breaks the laws', () => {
  type Two = (x: AnyTensor, logDet: AnyTensor) => readonly [AnyTensor, AnyTensor]
  const right = on([4], coupling(halves(), net))
  const wrong = (forward: Two, inverse: Two): AnyBijector => {
    const through = (of: Two, [y, logDet]: readonly [unknown, AnyTensor]) => of(y as AnyTensor, logDet) as never
    return bijector({
      name: 'wrong',
      domain: [4],
      codomain: [4],
      spec: right.spec,
      forward: (p, x) => through(forward, right.bind(p as never).forward(x as never)),
      inverse: (p, z) => through(inverse, right.bind(p as never).inverse(z as never)),
    })
  }
  const same: Two = (x, logDet) => [x, logDet]
  const faults: Readonly<Record<string, AnyBijector>> = {
    'a sign of the log-det flipped': wrong((x, l) => [x, T.neg(l)], same),
    'the log-det dropped, both ways': wrong(
      (x, l) => [x, T.times(0)(l)],
      (x, l) => [x, T.times(0)(l)],
    ),
    'the log-det doubled, both ways': wrong(
      (x, l) => [x, T.times(2)(l)],
      (x, l) => [x, T.times(2)(l)],
    ),
    'an inverse that is a little off': wrong(same, (x, l) => [T.plus(1e-2)(x), l]),
    'a log-det of the whole batch': wrong(
      (x, l) => [x, trust(tf.fill([unwrap(l).shape[0]!], tf.sum(unwrap(l)).dataSync()[0]!))],
      same,
    ),
    'a mean of the batch that leaks in': wrong((x, l) => [trust(tf.sub(unwrap(x), tf.mean(unwrap(x), 0))), l], same),
    'an answer that is not finite': wrong((x, l) => [trust(tf.div(unwrap(x), 0)), l], same),
  }
  it.each(Object.entries(faults))('%s', (_, b) => {
    expect(() => checkLaws(b)).toThrow("wrong breaks the law '")
  })
})

describe('the category', () => {
  const f = registry['vector flow']!.make() as Bijector<readonly [4], readonly [4]>
  const g = registry['coupling halves']!.make() as Bijector<readonly [4], readonly [4]>
  const bound = (seed: number) => [f.bind(randomParams(f, key(seed))), g.bind(randomParams(g, key(seed + 1)))] as const
  const draw = (k: Key) => randomBatch([4], [0, 1], 2, k) as never
  it('adds log-dets (Eq. 13) and reverses (Eq. 14)', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          const [a, b] = bound(seed)
          const both = Diffeo.andThen(b)(a)
          const x = draw(key(seed))
          const [y, first] = a.forward(x)
          const [z, second] = b.forward(y)
          const [composed, logDet] = both.forward(x)
          close(values(composed), values(z), 1e-6)
          close(values(logDet), values(tf.add(unwrap(first), unwrap(second))), 1e-5)
          const [back] = Diffeo.andThen(Diffeo.reverse(a))(Diffeo.reverse(b)).forward(z)
          close(values(Diffeo.reverse(both).forward(z)[0]), values(back), 1e-6)
        })
      }),
      runs,
    )
  })
  it('has identities, and is associative', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          const [a, b] = bound(seed)
          const x = draw(key(seed))
          const [z, logDet] = a.forward(x)
          const id = Diffeo.id<BatchOf<readonly [4]>>()
          for (const same of [Diffeo.andThen(id)(a), Diffeo.andThen(a)(id)]) {
            const [y, ld] = same.forward(x)
            expect(values(y)).toEqual(values(z))
            expect(values(ld)).toEqual(values(logDet))
          }
          const left = Diffeo.andThen(a)(Diffeo.andThen(b)(a)).forward(x)
          const right = Diffeo.andThen(Diffeo.andThen(a)(b))(a).forward(x)
          close(values(left[0]), values(right[0]), 1e-6)
          close(values(left[1]), values(right[1]), 1e-5)
        })
      }),
      runs,
    )
  })
})
