/** Densities outside of supports, at their edges, at infinities and of NaN, on every engine and in exported files. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  affine,
  atShape,
  type Base,
  type Bijector,
  bijector,
  compiled,
  compose,
  exponentialCdf,
  flow,
  halves,
  input,
  key,
  logisticCdf,
  logit,
  mlp,
  normalCdf,
  realNvpVector,
  reverse,
  sigmoid,
  splineCoupling,
  standardLogistic,
  standardNormal,
  uniformCdf,
} from 'diffeo'
import { type EngineName, ready, toOnnx } from 'diffeo/engine'
import { randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { unwrap } from 'diffeo/tensor'
import { afterEach, describe, expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { registry } from './registry.js'

const engines: readonly EngineName[] = ['cpu', 'wasm', 'onnxruntime']
afterEach(() => ready('cpu'))

type Line = Bijector<readonly [1], readonly [1]>
const column = (xs: readonly number[]): tf.Tensor2D => tf.tensor2d([...xs], [xs.length, 1])
const numbers = async (t: unknown): Promise<number[]> => [...(await unwrap(t as never).data())]

const { POSITIVE_INFINITY: INFINITE, NaN: NONE } = Number
/** Layers of one number, and values inside, at the edge and outside of what they take. */
const lines: Readonly<
  Record<string, { readonly b: Line; readonly inside: readonly number[]; readonly outside: readonly number[] }>
> = {
  'exponentialCdf, reverse normalCdf': {
    b: compose(input([1]), exponentialCdf(2), reverse(normalCdf())),
    inside: [0, 1e-8, 0.1, 5, 100],
    outside: [-1e-6, -0.1, -1, -5, -100, -1e30],
  },
  exponentialCdf: { b: atShape([1], exponentialCdf(0.5)), inside: [0, 1, 80], outside: [-1e-30, -1, -1e20] },
  'reverse exponentialCdf': {
    b: atShape([1], reverse(exponentialCdf(3))),
    inside: [0, 0.5, 1],
    outside: [-1e-30, 1.001, 7],
  },
  uniformCdf: { b: atShape([1], uniformCdf(-1, 3)), inside: [-1, 0, 3], outside: [-1.001, 3.001, 1e30] },
  'uniformCdf of bounds that round': {
    b: atShape([1], uniformCdf(0.1, 0.7)),
    inside: [0.1, 0.3, 0.7],
    outside: [0.0999, 0.7001],
  },
  'reverse uniformCdf': {
    b: atShape([1], reverse(uniformCdf(2, 5))),
    inside: [0, 0.5, 1],
    outside: [-0.001, 1.001, -50],
  },
  'uniformCdf, reverse normalCdf': {
    b: compose(input([1]), uniformCdf(-1, 49), reverse(normalCdf())),
    inside: [-1, 0, 24, 49],
    outside: [-1.01, 49.01, -1e9],
  },
  'reverse normalCdf': {
    b: atShape([1], reverse(normalCdf(1, 2))),
    inside: [0, 0.5, 1],
    outside: [-1e-6, 1.00001, 100],
  },
  'reverse logisticCdf': {
    b: atShape([1], reverse(logisticCdf(1, 2))),
    inside: [0, 0.5, 1],
    outside: [-1e-6, 1.00001, -100],
  },
  'reverse sigmoid': { b: atShape([1], reverse(sigmoid)), inside: [0, 1e-20, 1], outside: [-1e-30, 1.0001, 3] },
  logit: { b: atShape([1], logit()), inside: [0, 128, 255.99, 256], outside: [-15, 271, 1e6, -1e6] },
  'logit without a margin': {
    b: atShape([1], logit({ alpha: 0 })),
    inside: [0, 1e-20, 255.9999, 256],
    outside: [-1e-6, 256.1],
  },
  'an affine, then a logit': {
    b: compose(input([1]), affine, logit({ alpha: 0, bins: 1 })),
    inside: [0, 0.5, 1],
    outside: [-0.1, 1.1],
  },
  'a logit twice': {
    b: compose(input([1]), logit({ alpha: 0, bins: 2 }), logit({ alpha: 0, bins: 1 })),
    inside: [1.1, 1.4],
    outside: [-1, 0.9, 1.9, 3],
  },
  'a bijector of one’s own': {
    b: bijector({
      name: 'log',
      domain: [1],
      codomain: [1],
      support: [0.001, INFINITE],
      spec: {},
      forward: (_, x) => [T.log(x), T.neg(T.sumEvent(T.log(x)))],
      inverse: (_, z) => [T.exp(z), T.sumEvent(z)],
    }),
    inside: [0.001, 1, 50],
    outside: [0, -1, -1e10],
  },
}

describe.each(engines)('on %s', (engine) => {
  const bases: Readonly<Record<string, Base>> = { standardNormal, standardLogistic }
  it.each(Object.entries(lines))(
    '%s: log p is −∞ outside and at infinities, NaN for NaN, else a number',
    async (_, line) => {
      const { b, inside, outside } = line
      const params = b.init(key(0))
      await ready(engine)
      const bad = [...outside, INFINITE, -INFINITE]
      for (const base of Object.values(bases)) {
        const f = flow(b, base)
        const x = column([...inside, ...bad, NONE])
        for (const logP of [f.logProb(params)(x as never), await compiled(f).logProb(params)(x as never)]) {
          const got = await numbers(logP)
          expect(got.slice(0, inside.length).filter(Number.isFinite)).toEqual(got.slice(0, inside.length))
          expect(got.slice(inside.length)).toEqual([...bad.map(() => -INFINITE), NONE])
        }
      }
    },
  )

  it('inverses are −∞ outside of the range, and their values stay inside of the support', async () => {
    await ready(engine)
    const u = [-1e30, -1, -1e-6, 1.0001, 5, INFINITE, -INFINITE]
    for (const layer of [sigmoid, normalCdf(1, 2), logisticCdf(1, 2), exponentialCdf(2), uniformCdf(-1, 3)]) {
      const [x, logDet] = atShape([1], layer)
        .bind({})
        .inverse(column([...u, 0, 0.5, 1]) as never)
      const [values, nats] = [await numbers(x), await numbers(logDet)]
      expect(nats.slice(0, u.length)).toEqual(u.map(() => -INFINITE))
      expect(nats.slice(u.length).every(Number.isFinite)).toBe(true)
      expect(values.every(Number.isFinite)).toBe(true)
    }
  })
})

describe('a training step with an example outside', () => {
  const flows = {
    'behind an affine': compose(input([1]), affine, logit({ alpha: 0 }), affine),
    'before a flow': compose(input([1]), exponentialCdf(2), reverse(normalCdf()), affine),
  }
  it.each(Object.entries(flows))('has finite gradients, %s', (_, b) => {
    tf.tidy(() => {
      const params = b.init(key(0))
      const f = flow(b, standardNormal)
      const names = Object.keys(params)
      const leaves = names.flatMap((name) => Object.values(params[name] as never as Record<string, tf.Tensor>))
      const { value, grads } = tf.valueAndGrads((...given: tf.Tensor[]) => {
        let place = 0
        const own = Object.fromEntries(
          names.map((name) => [
            name,
            Object.fromEntries(Object.keys(params[name]!).map((leaf) => [leaf, given[place++]!])),
          ]),
        )
        return tf.mean(unwrap(f.train(own as never)(column([0, 1, -1, 1e30, 3, INFINITE]) as never)[0])) as tf.Scalar
      })(leaves)
      expect(value.dataSync()[0]).toBe(-INFINITE)
      for (const g of grads) expect([...g.dataSync()].every(Number.isFinite)).toBe(true)
    })
  })
})

describe('infinities in real spaces', () => {
  const b = atShape([2], realNvpVector({ couplings: 2, hidden: [4] }))
  it.each(engines)('are −∞ and leave other examples alone, %s', async (engine) => {
    await ready(engine)
    for (const bijection of [b, atShape([2], splineCoupling(halves(), mlp({ hidden: [4] })))]) {
      const f = flow(bijection, standardNormal)
      const params = randomParams(bijection.spec, key(1))
      const x = tf.tensor2d([0.1, 0.2, INFINITE, 0, 0, -INFINITE, INFINITE, -INFINITE, NONE, 1, 0.1, 0.2], [6, 2])
      for (const logP of [f.logProb(params)(x as never), await compiled(f).logProb(params)(x as never)]) {
        const [first, , , , , last] = await numbers(logP)
        expect(await numbers(logP)).toEqual([first, -INFINITE, -INFINITE, -INFINITE, NONE, last])
        expect(last).toBeCloseTo(first!, 5)
        expect(first).toBeGreaterThan(-INFINITE)
      }
    }
  })
})

it('exported files say −∞ outside, too', async () => {
  await ready('onnxruntime')
  for (const { b, inside, outside } of [
    lines['exponentialCdf, reverse normalCdf']!,
    lines['logit without a margin']!,
  ]) {
    const f = flow(b, standardNormal)
    const model = toOnnx({
      inputs: [{ name: 'x', shape: [1] }],
      outputs: ['log_prob'],
      run: ([x]) => [unwrap(f.logProb({})(x as never))],
    })
    const bad = [...outside, INFINITE, -INFINITE]
    const data = Float32Array.from([...inside, ...bad, NONE])
    const run = await runOnnx(model)
    const { log_prob: logP } = await run([{ name: 'x', shape: [data.length, 1], data }])
    const got = [...logP!]
    expect(got.slice(0, inside.length).every(Number.isFinite)).toBe(true)
    expect(got.slice(inside.length)).toEqual([...bad.map(() => -INFINITE), NONE])
  }
})

it('every bijector says which values it takes', () => {
  for (const { make, domain } of Object.values(registry)) {
    const { support, range } = make() as AnyBijector
    expect(support[0] <= domain[0] && domain[1] <= support[1]).toBe(true)
    expect(range[0]).toBeLessThan(range[1])
  }
  expect(atShape([1], reverse(uniformCdf(2, 5))).range).toEqual([2, 5])
  expect(lines['exponentialCdf, reverse normalCdf']!.b.support).toEqual([0, INFINITE])
})
