/** Numbers that are not finite, in data, losses and validations: what fit says, and which state it keeps. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { describeError, key } from 'diffeo'
import { saveCheckpoint } from 'diffeo/fp'
import { type BatchOf, mapLeaves, type Params, unwrap } from 'diffeo/tensor'
import {
  adam,
  type Batches,
  constantRate,
  disposeState,
  type FitEvent,
  type FitOptions,
  fit,
  type Stopped,
  startTraining,
  type TrainState,
  trainStep,
} from 'diffeo/train'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'
import { collect, descent, grown, moonBatch, moons, stateBits } from './toy.js'

type Plane = readonly [2]
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
const folder = mkdtempSync(join(tmpdir(), 'diffeo-finite-'))
afterAll(() => rmSync(folder, { recursive: true }))

const options: FitOptions<BatchOf<Plane>> = { optimiser: adam(), learningRate: constantRate(1e-2), batch: moonBatch() }
/** Four examples, of which the third has this value. */
const spoilt = (value: number): BatchOf<Plane> => trust(tf.tensor2d([0, 1, 1, 0, 0, value, 1, 0], [4, 2]))

let start: TrainState
beforeEach(async () => {
  start = await startTraining(moons, adam(), key(0), moonBatch()(0))
})
afterEach(() => disposeState(start))

const ended = async (
  more: Partial<FitOptions<BatchOf<Plane>>>,
): Promise<{ events: FitEvent[]; end: Stopped; said: string }> => {
  const events = await collect(fit(moons, start, { ...options, steps: 9, ...more }))
  const end = events.at(-1) as Stopped
  return { events, end, said: end.error === undefined ? '' : describeError(end.error) }
}

describe('a first batch', () => {
  it.each([nan, infinity, -infinity])('with %s is refused, and the example named', async (value) => {
    const x = spoilt(value)
    const leaves = await grown(() =>
      expect(startTraining(moons, adam(), key(0), x)).rejects.toThrow(
        `startTraining: expected a first batch of finite numbers, got ${value} in example 2 of it; fix the data`,
      ),
    )
    expect([leaves, (x as unknown as tf.Tensor).isDisposed]).toEqual([0, false])
    tf.dispose(x as never)
  })
  it('that gives parameters that are not finite is refused, and the parameter named', async () => {
    const broken = (params: Params) => () => mapLeaves(params, (leaf) => tf.mul(unwrap(leaf as never), nan))
    const spoiling = { ...moons, start: broken } as unknown as typeof moons
    const x = moonBatch()(0)
    const refused = startTraining(spoiling, adam(), key(0), x)
    await expect(refused).rejects.toThrow(
      'startTraining: expected a first batch that gives finite parameters, got others in',
    )
    tf.dispose(x as never)
  })
  it.each([nan, infinity])('of fit with %s names the example, not the learning rate', async (value) => {
    const { end, said } = await ended({ batch: () => spoilt(value) })
    expect([end.reason, end.state.step]).toEqual(['notFinite', 0])
    expect(said).toContain(`fit at step 1: expected a batch of finite numbers, got ${value} in example 2 of it`)
    expect(said).not.toContain('learning rate')
    disposeState(end.state)
  })
})

describe('the last good state', () => {
  it('is the last whose loss is finite: not the one that a step of any length made', async () => {
    const optimiser = descent
    const own = await startTraining(moons, optimiser, key(0), moonBatch()(0))
    const states: unknown[] = []
    const learningRate = (n: number) => (n === 2 ? 1e30 : 1e-3)
    const run = fit(moons, own, { optimiser, learningRate, batch: moonBatch(), steps: 9, clip: infinity, l2: 0 })
    let end: Stopped | undefined
    for await (const event of run) {
      if (event._tag === 'Stepped') states.push(stateBits(event.state))
      if (event._tag === 'Stopped') end = event
    }
    expect([end!.reason, end!.state.step, states.length]).toEqual(['notFinite', 2, 3])
    expect(stateBits(end!.state)).toEqual(states[1])
    const next = trainStep(moons, { optimiser, learningRate: constantRate(1e-3) })
    const [after, metrics] = await next(end!.state, moonBatch()(7))
    expect(Number.isFinite(metrics.bitsPerDim)).toBe(true)
    for (const state of [after, end!.state, own]) disposeState(state)
    await next.dispose()
  })
  it('leaves no other tensor', async () => {
    const learningRate = (n: number) => (n === 2 ? 1e30 : 1e-3)
    expect(
      await grown(async () => {
        const { end } = await ended({ learningRate, optimiser: { ...descent, init: adam().init }, clip: infinity })
        disposeState(end.state)
      }),
    ).toBe(0)
  })
})

describe('a validation that is not finite', () => {
  const validation = (value: number, more = {}) => ({
    every: 2,
    batches: { count: 2, at: (i: number) => (i === 1 ? spoilt(value) : moonBatch(8, 9)(0)) } as Batches<BatchOf<Plane>>,
    ...more,
  })
  it.each([nan, infinity, -infinity])(
    'of data with %s ends the run, names the example and keeps the state',
    async (value) => {
      const { events, end, said } = await ended({ validation: validation(value) })
      expect([end.reason, end.state.step]).toEqual(['notFinite', 2])
      expect(said).toBe(
        `fit after step 2: expected validation data of finite numbers, got ${value} in example 2 of it (batch 1); fix the validation data`,
      )
      expect(events.flatMap((e) => (e._tag === 'Validated' ? [[e.best, e.worse, e.notFinite]] : []))).toEqual([
        [false, 1, 1],
      ])
      disposeState(end.state)
    },
  )
  it('of finite data ends the run with the number of examples, whatever the patience', async () => {
    for (const patience of [1, 9, undefined]) {
      const { end, said } = await ended({
        validation: validation(1e30, patience === undefined ? {} : { patience }),
      })
      expect(end.reason).toBe('notFinite')
      expect(said).toContain(
        'fit after step 2: expected a validation with finite figures, got 1 of 12 examples without one, the first of them 10; go on from',
      )
      disposeState(end.state)
    }
  })
  it('is never a best one, and a best of NaN is none', async () => {
    const batches: Batches<BatchOf<Plane>> = { count: 1, at: moonBatch(8, 9) }
    const { events, end } = await ended({ steps: 2, validation: { every: 2, batches, best: nan } })
    expect(events.flatMap((e) => (e._tag === 'Validated' ? [e.best] : []))).toEqual([true])
    disposeState(end.state)
  })
  it('of no examples says so', async () => {
    const { end, said } = await ended({ validation: { every: 1, batches: { count: 0, at: moonBatch() } } })
    expect(said).toBe('fit after step 1: expected a validation of at least one example, got none')
    disposeState(end.state)
  })
  it('leaves a state that can be saved', async () => {
    const { end } = await ended({ validation: validation(nan) })
    expect(E.isRight(await saveCheckpoint(join(folder, 'a.safetensors'))({ state: end.state, flow: moons })())).toBe(
      true,
    )
    disposeState(end.state)
  })
  it('leaves no other tensor', async () => {
    for (const value of [nan, 1e30])
      expect(await grown(async () => disposeState((await ended({ validation: validation(value) })).end.state))).toBe(0)
  })
})
