import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, flow, input, key, standardNormal } from 'diffeo'
import { evaluationBatches } from 'diffeo/data'
import { type BatchOf, type Params, unwrap } from 'diffeo/tensor'
import { type Batches, evaluate, summarise, trainingGap } from 'diffeo/train'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileError } from '../../src/error.js'
import { trust } from '../../src/tensor/tensor.js'
import { randomParams, values } from '../support.js'
import { grown, images, tiny } from './toy.js'

const params: Params = randomParams(tiny.bijector, key(2), 0.1)

describe('summarise', () => {
  it('answers the mean, the largest and how many', () =>
    fc.assert(
      fc.property(fc.array(fc.float({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1 }), (list) => {
        const { mean, worst, count, each } = summarise(Float32Array.from(list), 2)
        expect(mean).toBeCloseTo(list.reduce((a, b) => a + b, 0) / list.length)
        expect(worst + 0).toBe(Math.max(...list) + 0)
        expect(count).toBe(list.length)
        expect([...each]).toEqual(list)
      }),
    ))
  it.each([[[Number.NaN, 1, 2]], [[1, Number.NaN, 2]], [[1, 2, Number.NaN]]])('takes NaN for the worst: %s', (list) => {
    expect(summarise(Float32Array.from(list), 2).worst).toBeNaN()
    expect(summarise(Float32Array.from(list), 2).mean).toBeNaN()
  })
  it('takes infinity for worse than any number', () =>
    expect(summarise(Float32Array.of(1, Number.POSITIVE_INFINITY, 2), 2).worst).toBe(Number.POSITIVE_INFINITY))
})

describe('figures that are not finite', () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
  it.each([
    ['none', [1, 2], 0],
    ['NaN', [1, nan, 2, nan], 2],
    ['both infinities', [infinity, 1, -infinity], 2],
  ])('are counted: %s', (_, list, notFinite) => {
    const evaluation = summarise(Float32Array.from(list), 2)
    expect(evaluation.notFinite).toBe(notFinite)
    expect(Number.isFinite(evaluation.mean)).toBe(notFinite === 0)
  })
  it('are counted by evaluate and trainingGap, whose means say so too', async () => {
    const identity = flow(input([1]), standardNormal)
    const batches: Batches<BatchOf<readonly [1]>> = {
      count: 2,
      at: (i) => trust(tf.tensor2d([[1], [i === 1 ? nan : 2]])),
    }
    const evaluation = await evaluate(identity, {}, batches)
    expect([evaluation.notFinite, evaluation.count, evaluation.mean]).toEqual([1, 4, nan])
    const gap = await trainingGap(identity, {}, batches)
    expect([gap.notFinite, gap.count, gap.training, gap.evaluation, gap.gap]).toEqual([1, 4, nan, nan, nan])
  })
})

describe('evaluate', () => {
  it('counts every example once, those of a smaller last batch too, and says how far it is', async () => {
    const done: (readonly number[])[] = []
    const batches = evaluationBatches(images, key(5), 8)
    const { count, each } = await evaluate(tiny, params, batches, (...now) => done.push(now))
    expect(count).toBe(20)
    expect(each.length).toBe(20)
    expect(done.map(String)).toEqual(['1,8', '2,16', '3,20'])
  })
  it('answers the bits/dim of each example with running statistics, whatever else is in its batch', async () => {
    const batches = evaluationBatches(images, key(5), 20)
    const whole = await evaluate(tiny, params, batches)
    const single: Batches<BatchOf<readonly [4, 4, 1]>> = {
      count: 20,
      at: async (i) => {
        const x = await batches.at(0)
        const one = tf.slice(unwrap(x), [i, 0, 0, 0], [1, 4, 4, 1])
        unwrap(x).dispose()
        return trust(one)
      },
    }
    const alone = await evaluate(tiny, params, single)
    const direct = values(tiny.bitsPerDim(params)(await batches.at(0)))
    expect([...whole.each]).toEqual(direct)
    whole.each.forEach((bits, i) => {
      expect(alone.each[i]).toBeCloseTo(bits, 4)
    })
    expect(whole.mean).toBeCloseTo(direct.reduce((a, b) => a + b, 0) / 20, 5)
    expect(whole.worst).toBe(Math.max(...direct))
    const logProb = values(tiny.logProb(params)(await batches.at(0)))
    expect(whole.nats).toBeCloseTo(-logProb.reduce((a, b) => a + b, 0) / 20, 3)
  })
  it('is the same at every call and changes no number of tensors', async () => {
    const batches = evaluationBatches(images, key(5), 8)
    const first = await evaluate(tiny, params, batches)
    expect(
      await grown(async () => {
        expect(await evaluate(tiny, params, batches)).toEqual(first)
      }),
    ).toBe(0)
  })
  it('takes a batch larger than a call can have arguments', async () => {
    const identity = flow(input([1]), standardNormal)
    const large: Batches<BatchOf<readonly [1]>> = { count: 1, at: () => trust(tf.zeros([300_000, 1])) }
    const { count, mean } = await evaluate(identity, {}, large)
    expect(count).toBe(300_000)
    expect(mean).toBeCloseTo(Math.log2(2 * Math.PI) / 2, 5)
  })
  it('begins a batch while its predecessor is evaluated, and no more than one', async () => {
    const batches = evaluationBatches(images, key(5), 5)
    const begun: number[] = []
    const seen: number[] = []
    const at = (i: number) => {
      begun.push(i)
      return batches.at(i)
    }
    await evaluate(tiny, params, { count: 4, at }, () => seen.push(begun.length))
    expect([begun, seen]).toEqual([
      [0, 1, 2, 3],
      [2, 3, 4, 4],
    ])
  })
  it('is rejected with the sentence of a batch that cannot be read, and leaves no tensor', async () => {
    const batches = evaluationBatches(images, key(5), 5)
    const lost = new DiffeoException(fileError('read a.bin', 'a file', 'nothing there'))
    const at = (i: number) => (i === 2 ? Promise.reject(lost) : batches.at(i))
    expect(await grown(() => expect(evaluate(tiny, params, { count: 4, at })).rejects.toBe(lost))).toBe(0)
  })
  it('lets other work run between batches', async () => {
    let ticks = 0
    const ticking = setInterval(() => ticks++, 0)
    await evaluate(tiny, params, evaluationBatches(images, key(5), 1))
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(2)
  })
})

describe('trainingGap', () => {
  it('is the bits/dim with batch statistics less those with running ones, of the same examples', async () => {
    const batches = evaluationBatches(images, key(5), 10)
    const done: (readonly number[])[] = []
    const { count, training, evaluation, gap } = await trainingGap(tiny, params, batches, (...now) => done.push(now))
    const [first, second] = [
      values(tiny.train(params)(await batches.at(0))[0]),
      values(tiny.train(params)(await batches.at(1))[0]),
    ]
    const nats = [...first, ...second].reduce((a, b) => a - b, 0) / 20
    expect(training).toBeCloseTo(nats / (16 * Math.LN2), 4)
    expect(evaluation).toBe((await evaluate(tiny, params, batches)).mean)
    expect([count, gap]).toEqual([20, training - evaluation])
    expect(Math.abs(gap)).toBeGreaterThan(1e-3)
    expect(done.map(String)).toEqual(['1,10', '2,20', '3,30', '4,40'])
  })
})
