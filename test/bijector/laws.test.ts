import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  additiveCoupling,
  atShape,
  bijector,
  channelwise,
  checkerboard,
  coupling,
  halves,
  key,
  type Mask,
  mask,
  mlp,
  type Net,
  resnet,
  type Shape,
  type ShapeFn,
} from 'diffeo'
import { categoryLaws, checkCategory, checkLaws, lawsOf, randomBatch } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'
import { registry } from './registry.js'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const runs = { numRuns: 8 }

describe.each(Object.entries(registry))('%s', (_, { make, ...options }) => {
  const b = make()
  it.each(lawsOf(b, options))('obeys the law: %s', (name) => {
    checkLaws(b, { ...options, seed: 1 }, [name])
  })
})

describe('compositions of everything in the registry', () => {
  const parts = Object.values(registry).map(({ make, domain, anywhere }) => ({ bijector: make(), domain, anywhere }))
  it.each(Object.keys(categoryLaws) as (keyof typeof categoryLaws)[])('obey the law: %s', (name) => {
    checkCategory(parts, { runs: 100, seed: 1 }, [name])
  })
  it('that break a law are named, with both numbers and the seed', () => {
    let calls = 0
    const fickle = bijector({
      name: 'fickle',
      domain: [2],
      codomain: [2],
      spec: {},
      forward: (_, x) => [T.plus(++calls)(x), T.zeroPerExample(x)],
      inverse: (_, y) => [y, T.zeroPerExample(y)],
    })
    expect(() =>
      checkCategory([{ bijector: fickle, domain: [-1, 1], anywhere: true }], { runs: 5, seed: 1 }, ['identity']),
    ).toThrow(/^compose\(fickle 2\) breaks the law 'identity': .*expected .+, got .+repeat it with \{ seed: 1 \}$/)
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
  'checkerboard, oblong': [checkerboard(), [2, 3, 1], (i) => i % 2 === 0],
  'channelwise first': [channelwise(), [2, 2, 2], (i) => i % 2 === 0],
  'channelwise second': [channelwise('second'), [2, 2, 2], (i) => i % 2 === 1],
  'own, of an image': [mask([2, 2, 2], ([h]) => h === 0), [2, 2, 2], (i) => i < 4],
}
const couplings = Object.entries(masks).flatMap(([name, [of, shape, keeps]]) =>
  Object.entries({ coupling, additiveCoupling }).map(([op, make]) => {
    const nets: Net<Kind> = of.kind === 'vector' ? net : image
    return [`${op}, ${name}`, atShape(shape, make(of, nets)) as AnyBijector, keeps] as const
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
