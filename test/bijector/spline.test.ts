/** What the laws cannot say of splines: steep ones, knots and tails, the start, and the default engine. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, channelwise, checkerboard, convNet, halves, key, mlp, splineCoupling } from 'diffeo'
import { jit, ready, toOnnx } from 'diffeo/engine'
import { randomBatch } from 'diffeo/laws'
import { type AnyTensor, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { trust } from '../../src/tensor/tensor.js'
import { randomParams, values } from '../support.js'

const net = mlp({ hidden: [8], activation: 'tanh' })
const vector = atShape([4], splineCoupling(halves(), net))
const all = {
  vector,
  image: atShape([2, 4, 3], splineCoupling(checkerboard('odd'), convNet({ hidden: [4] }), { bins: 5, bound: 2 })),
  channels: atShape([2, 2, 4], splineCoupling(channelwise('second'), convNet({ hidden: [4] }), { bins: 2 })),
}
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((v, i) => Math.abs(v - b[i]!) / Math.max(1, Math.abs(b[i]!))))

beforeAll(async () => {
  await ready('cpu')
})

describe.each(Object.entries(all))('splineCoupling of %s', (_, b) => {
  it('starts as the identity', () => {
    tf.tidy(() => {
      const x = randomBatch(b.domain, [-4, 4], 16, key(0))
      const [y, logDet] = b.bind(b.init(key(1))).forward(x as never)
      expect(apart(values(y), values(x))).toBeLessThan(2e-6)
      for (const l of values(logDet)) expect(Math.abs(l)).toBeLessThan(2e-5)
    })
  })

  it('is undone, its log-det too, inside and beyond its bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(0.3, 1), (seed, spread) => {
        tf.tidy(() => {
          const f = b.bind(randomParams(b, key(seed), spread))
          const x = randomBatch(b.domain, [-4, 4], 8, key(seed + 1))
          const [y, logDet] = f.forward(x as never)
          const [back, backLogDet] = f.inverse(y as never)
          expect(apart(values(f.forward(back as never)[0]), values(y))).toBeLessThan(1e-5)
          expect(apart(values(y), values(x))).toBeGreaterThan(1e-2)
          // at 1 the net answers the extremes that it may: flat pieces keep fewer digits of x, though all of y
          if (spread === 1) return
          expect(apart(values(back), values(x))).toBeLessThan(1e-4)
          expect(apart(values(backLogDet), values(tf.neg(unwrap(logDet))))).toBeLessThan(1e-4)
        })
      }),
      { numRuns: 30 },
    )
  })

  it('answers the same, gradients included, compiled by the default engine', async () => {
    const params = randomParams(b, key(2))
    const x = unwrap(randomBatch(b.domain, [-4, 4], 5, key(3)))
    const all = (t: tf.Tensor): tf.Tensor[] => {
      const f = b.bind(params)
      const [y, logDet] = f.forward(trust(t) as never)
      const [back, backLogDet] = f.inverse(trust(t) as never)
      return [y as AnyTensor, logDet, back as AnyTensor, backLogDet].map(unwrap)
    }
    const loss = (t: tf.Tensor): tf.Tensor => tf.addN(all(t).map((r) => tf.sum(tf.square(r))))
    const both = (t: tf.Tensor): tf.Tensor[] => [...all(t), tf.grad(loss)(t)]
    const wanted = tf.tidy(() => both(x)).map((t) => [...t.dataSync()])
    await ready('onnxruntime')
    const run = jit(both)
    const got = (await run(x)).map((t) => [...t.dataSync()])
    await run.dispose()
    await ready('cpu')
    got.forEach((g, i) => {
      expect(apart(g, wanted[i]!)).toBeLessThan(1e-4)
    })
  })
})

describe('the spline at its edges', () => {
  it('has finite values and gradients at every knot, at the bounds and far outside', () => {
    tf.tidy(() => {
      // at the start the knots are evenly spaced: −3, −2.25, … 3, and the net's own parameters have gradients too
      const params = randomParams(vector, key(4), 0.5)
      const start = vector.init(key(4))
      const at = [-1e6, -3.000001, -3, -2.25, -1.5, -0.75, 0, 0.75, 1.5, 2.25, 3, 3.000001, 1e6]
      const x = tf.tensor2d(at.map((v) => [0.5, -0.5, v, v]))
      for (const p of [start, params])
        for (const direction of ['forward', 'inverse'] as const) {
          const loss = (t: tf.Tensor): tf.Scalar => {
            const [y, logDet] = vector.bind(p)[direction](trust(t) as never)
            return tf.add(tf.sum(unwrap(y as AnyTensor)), tf.sum(unwrap(logDet))) as tf.Scalar
          }
          const gradient = [...tf.grad(loss)(x).dataSync()]
          expect(gradient.every(Number.isFinite)).toBe(true)
          expect(Number.isFinite(loss(x).dataSync()[0])).toBe(true)
          // outside it is the identity
          const tails = gradient.filter((_, i) => i % 4 >= 2 && Math.abs(at[Math.floor(i / 4)]!) > 3)
          for (const slope of tails) expect(slope).toBeCloseTo(1, 5)
        }
    })
  })

  it('has the bounds and least slopes that saved parameters were trained with', () => {
    tf.tidy(() => {
      const x = trust<readonly ['N', 4]>(tf.tensor2d([[0.5, -0.5, 2.5, -1]]))
      const [y, logDet] = vector.bind(randomParams(vector, key(4), 3)).forward(x)
      expect(apart([...values(y).slice(2), ...values(logDet)], [2.316, 0.062, -4.809])).toBeLessThan(1e-3)
    })
  })

  it('does not jump at a knot or at the bound', () => {
    tf.tidy(() => {
      const f = vector.bind(randomParams(vector, key(5), 0.5))
      const fine = Array.from({ length: 4001 }, (_, i) => -4 + i * 2e-3)
      const x = tf.tensor2d(fine.map((v) => [0.3, 0.1, v, v]))
      const ys = values(f.forward(trust(x) as never)[0]).filter((_, i) => i % 4 === 2)
      const steps = ys.slice(1).map((y, i) => y - ys[i]!)
      expect(Math.min(...steps)).toBeGreaterThan(0)
      expect(Math.max(...steps)).toBeLessThan(0.1)
    })
  })
})

it('a spline is exported with a batch of any size', async () => {
  const params = randomParams(vector, key(6))
  const run = ([x]: readonly tf.Tensor[]) => {
    const [y, logDet] = vector.bind(params).forward(trust(x!))
    return [unwrap(y), unwrap(logDet)]
  }
  const model = toOnnx({ inputs: [{ name: 'x', shape: [4] }], outputs: ['y', 'log_det'], run })
  const x = tf.tidy(() => unwrap(randomBatch([4], [-4, 4], 3, key(7))))
  const infer = await runOnnx(model)
  const got = await infer([{ name: 'x', shape: [3, 4], data: x.dataSync<'float32'>() as Float32Array }])
  const wanted = tf.tidy(() => run([x]).map((t) => [...t.dataSync()]))
  expect(apart([...got['y']!], wanted[0]!)).toBeLessThan(1e-5)
  expect(apart([...got['log_det']!], wanted[1]!)).toBeLessThan(1e-4)
})
