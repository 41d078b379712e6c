import * as tf from '@tensorflow/tfjs-core'
import { type AnyTensor, type BatchOf, type Bijector, Diffeo, key, unwrap } from 'diffeo'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { uniformArray } from '../../src/tensor/random.js'
import { trust } from '../../src/tensor/tensor.js'
import { denseLogDet, randomParams, rows, tensors, values } from '../support.js'
import { type Entry, registry } from './registry.js'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const runs = { numRuns: 8 }

const draw = ({ low, high }: Entry, shape: readonly number[], n: number, seed: number): tf.Tensor =>
  tf.tensor(
    uniformArray(
      key(seed),
      shape.reduce((a, b) => a * b, n),
    ).map((u) => low + (high - low) * u),
    [n, ...shape],
  )
const close = (a: readonly number[], b: readonly number[], tolerance: number) => {
  expect(a.length).toBe(b.length)
  const size = Math.max(1, ...b.map(Math.abs))
  a.forEach((v, i) => {
    expect(Math.abs(v - b[i]!)).toBeLessThanOrEqual(tolerance * size)
  })
}

describe.each(Object.entries(registry))('%s', (_, entry) => {
  const b = entry.make()
  const check = (property: (f: ReturnType<typeof b.bind>, x: AnyTensor, seed: number) => void, n = 2) =>
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          property(b.bind(randomParams(b, key(seed + 1))), trust(draw(entry, b.domain, n, seed)), seed)
        })
      }),
      runs,
    )

  it('has an inverse: both round trips, opposite log-dets', () => {
    check((f, x) => {
      const [z, logDet] = f.forward(x)
      const [back, inverseLogDet] = f.inverse(z)
      close(values(back), values(x), entry.tolerance)
      close(
        values(inverseLogDet),
        values(logDet).map((v) => -v),
        entry.tolerance,
      )
      close(values(f.forward(back)[0]), values(z), entry.tolerance)
    })
  })

  it('has the log-det of its dense Jacobian, both ways', () => {
    check((f, x) => {
      const [z, logDet] = f.forward(x)
      close(values(logDet), [denseLogDet((v) => f.forward(trust(v))[0], unwrap(x))], Math.max(entry.tolerance, 1e-3))
      if (tensors(z).length === 1) {
        const inverse = denseLogDet((v) => f.inverse(trust(v))[0], unwrap(z as AnyTensor))
        close([-values(logDet)[0]!], [inverse], Math.max(entry.tolerance, 1e-3))
      }
    }, 1)
  })

  it('answers one log-det per example, independent of the rest of the batch', () => {
    check((f, x) => {
      const [z, logDet] = f.forward(x)
      expect(unwrap(logDet).shape).toEqual([3])
      const [alone, aloneLogDet] = f.forward(trust(tf.slice(unwrap(x), 1, 1)))
      close(values(aloneLogDet), [values(logDet)[1]!], 1e-5)
      close([...rows(alone).dataSync()], [...tf.slice(rows(z), [1, 0], [1, -1]).dataSync()], 1e-5)
    }, 3)
  })

  it('has the latents that its codomain says', () => {
    check((f, x) => {
      const shapes = tensors(f.forward(x)[0]).map((t) => unwrap(t).shape.slice(1))
      expect(shapes.length === 1 ? shapes[0] : shapes).toEqual(b.codomain)
    })
  })

  it('leaves no tensors behind', () => {
    const params = randomParams(b, key(1))
    const x = trust(draw(entry, b.domain, 2, 3)) as AnyTensor
    const before = tf.memory().numTensors
    const [z, logDet] = b.bind(params).forward(x)
    expect(tf.memory().numTensors).toBe(before + tensors(z).filter((t) => t !== x).length + 1)
    const [back, inverseLogDet] = b.bind(params).inverse(z as never)
    const kept = new Set([...tensors(z), logDet, inverseLogDet, back].filter((t) => t !== x))
    expect(tf.memory().numTensors).toBe(before + kept.size)
  })
})

describe('the category', () => {
  const f = registry['vector flow']!.make() as Bijector<readonly [4], readonly [4]>
  const g = registry['coupling halves']!.make() as Bijector<readonly [4], readonly [4]>
  const bound = (seed: number) => [f.bind(randomParams(f, key(seed))), g.bind(randomParams(g, key(seed + 1)))] as const
  it('adds log-dets (Eq. 13) and reverses (Eq. 14)', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        tf.tidy(() => {
          const [a, b] = bound(seed)
          const x = trust(tf.tensor(uniformArray(key(seed), 8), [2, 4])) as never
          const both = Diffeo.andThen(b)(a)
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
          const x = trust(tf.tensor(uniformArray(key(seed), 8), [2, 4])) as never
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
