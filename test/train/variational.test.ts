import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  affine,
  atShape,
  compose,
  coupling,
  evaluateVariational,
  flow,
  halves,
  importanceWeighted,
  input,
  key,
  mlp,
  realNvpVector,
  reverseKl,
  standardNormal,
  type Variational,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import { randomParams } from 'diffeo/laws'
import { type AnyTensor, type BatchOf, foldIn, type Params, type PerExample, unwrap } from 'diffeo/tensor'
import { adam, cosineRate, disposeState, evaluate, fit, paretoK, type Stopped, startTraining } from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

type Plane = BatchOf<readonly [2]>
const columns = (x: Plane): readonly [tf.Tensor, tf.Tensor] => {
  const [a, b] = tf.split(unwrap(x), 2, 1).map((t) => tf.reshape(t, [-1]))
  return [a!, b!]
}
/** N(0, 2²) × N(x₁²/4 | 1): its integral is 4π. */
const banana = (x: Plane): PerExample => {
  const [a, b] = columns(x)
  const bent = tf.sub(b, tf.mul(tf.square(a), 0.25))
  return trust(tf.sub(tf.mul(tf.square(a), -1 / 8), tf.mul(tf.square(bent), 0.5)))
}
const LOG_Z = Math.log(4 * Math.PI)

const trained = async (objective: Variational, steps: number, rate = 5e-3): Promise<Params> => {
  const optimiser = adam()
  const batch = (step: number) => objective.draw(foldIn(key(1), step), 256)
  const first = batch(0)
  const start = await startTraining(objective, optimiser, key(0), first)
  tf.dispose(first.map(unwrap))
  let end: Stopped | undefined
  for await (const event of fit(objective, start, { optimiser, learningRate: cosineRate(rate, steps), batch, steps }))
    if (event._tag === 'Stopped') end = event
  disposeState(start)
  expect(end!.reason).toBe('steps')
  return end!.state.params
}

describe('reverse KL', () => {
  beforeAll(async () => {
    await ready('onnxruntime')
  })
  const net = mlp({ hidden: [32, 32] })
  const q = flow(
    compose(input([2]), coupling(halves(), net), coupling(halves('second'), net), coupling(halves(), net), actNorm),
    standardNormal,
  )

  it('comes within 0.01 nats of log Z of a banana, and so do importance weights', async () => {
    const objective = reverseKl(q, banana)
    const params = await trained(objective, 2000)
    const {
      elbo,
      logZ,
      effectiveSamples,
      paretoK: k,
      warning,
    } = await evaluateVariational(q, banana, params, key(5), 20_000)
    expect(Math.abs(elbo - LOG_Z)).toBeLessThan(0.01)
    expect(Math.abs(logZ - LOG_Z)).toBeLessThan(0.01)
    expect(effectiveSamples).toBeGreaterThan(18_000)
    expect(k).toBeLessThan(0.7)
    expect(warning).toBeUndefined()
    // a validation measures the objective, and names it
    const batches = { count: 2, at: (i: number) => objective.draw(foldIn(key(6), i), 1000) }
    const figures = await evaluate(objective, params, batches)
    expect(figures.name).toBe('negative ELBO')
    expect('nats' in figures).toBe(false)
    expect(figures.mean).toBeCloseTo(-elbo, 1)
  }, 60_000)

  it('comes within 0.02 nats of log Z = 0 of a funnel', async () => {
    // v ~ N(0, 3²), x ~ N(0, exp(v/2)²)
    const funnel = (x: Plane): PerExample => {
      const [v, w] = columns(x)
      const ofV = tf.sub(tf.mul(tf.square(v), -1 / 18), Math.log(3) + Math.log(2 * Math.PI) / 2)
      const ofX = tf.mul(tf.mul(tf.square(w), tf.exp(tf.neg(v))), -0.5)
      return trust(tf.add(ofV, tf.sub(ofX, tf.add(tf.mul(v, 0.5), Math.log(2 * Math.PI) / 2))))
    }
    const free = { logScale: 'free' } as const
    const f = flow(
      compose(input([2]), coupling(halves(), net, free), coupling(halves('second'), net, free), affine),
      standardNormal,
    )
    const params = await trained(reverseKl(f, funnel), 2000)
    const { elbo, logZ } = await evaluateVariational(f, funnel, params, key(5), 50_000)
    expect(Math.abs(logZ)).toBeLessThan(0.02)
    expect(elbo).toBeLessThan(0.02)
  }, 60_000)

  it('with a flow that cannot fit, k̂ is above 0.7 and a sentence says so', async () => {
    const narrow = flow(atShape([2], affine), standardNormal)
    const params = randomParams(narrow.spec, key(1), 0)
    const wide = (x: Plane): PerExample => trust(tf.mul(tf.sum(tf.square(unwrap(x)), 1), -0.5 / 16))
    const { paretoK: k, warning } = await evaluateVariational(narrow, wide, params, key(2), 5000)
    expect(k).toBeGreaterThan(0.7)
    expect(warning).toContain('evaluateVariational: expected weights with k̂ of at most 0.7')
  })
})

describe('the importance-weighted bound', () => {
  beforeAll(async () => {
    await ready('cpu')
  })
  const q = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] })), standardNormal)
  const params = randomParams(q.spec, key(3), 0.3)
  const lossOf = (of: Variational, noise: readonly AnyTensor[]): readonly number[] => values(of.loss(params)(noise)[0])

  it('is log of the mean weight, of its draws', () => {
    const noise = reverseKl(q, banana).draw(key(4), 6)
    const single = lossOf(reverseKl(q, banana), noise)
    const grouped = lossOf(importanceWeighted(q, banana, 3), noise)
    const expected = [0, 3].map((i) => -Math.log(single.slice(i, i + 3).reduce((s, l) => s + Math.exp(-l), 0) / 3))
    grouped.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i]!, 4)
    })
  })
  it('is tighter with more draws', () => {
    const mean = (k: number) => {
      const of = importanceWeighted(q, banana, k)
      const losses = lossOf(of, of.draw(key(5), 400))
      return losses.reduce((a, b) => a + b, 0) / losses.length
    }
    expect(mean(20)).toBeLessThan(mean(1))
    expect(mean(20)).toBeGreaterThan(-LOG_Z - 0.2)
  })
  it('refuses a number of draws that is none', () => {
    expect(() => importanceWeighted(q, banana, 0)).toThrow(
      'importanceWeighted: expected a whole number of draws for each example',
    )
  })
})

describe('k̂', () => {
  // weights U^(−k) have a Pareto tail of shape k
  it.each([0.2, 0.5, 0.9])('of a Pareto tail of shape %s is that shape', (shape) => {
    const uniforms = Float64Array.from({ length: 20_000 }, (_, i) => ((i * 0.618033988749895) % 1) + 1e-9)
    const k = paretoK(uniforms.map((u) => -shape * Math.log(u)))
    expect(Math.abs(k - shape)).toBeLessThan(0.12)
  })
  it('of equal weights is −∞, of too few NaN', () => {
    expect(paretoK(new Float64Array(100))).toBe(Number.NEGATIVE_INFINITY)
    expect(paretoK([0, 1])).toBeNaN()
  })
})
