/** Who frees what: the tensors that a caller has stay the caller's, those that a call makes are freed. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyTensor,
  adam,
  averaged,
  averageParams,
  type BatchOf,
  compiled,
  constantRate,
  copyState,
  describeError,
  disposeState,
  evaluate,
  type FitOptions,
  fit,
  key,
  leaves,
  type Stopped,
  startTraining,
  step,
  type TrainState,
  trainingGap,
  unwrap,
  values,
} from 'diffeo'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../support.js'
import { collect, grown, moonBatch, moons, stateBits } from './toy.js'

type Plane = readonly [2]
const optimiser = averaged(adam())
const options = { optimiser, learningRate: constantRate(1e-3), steps: 4 }

let start: TrainState
beforeAll(async () => {
  start = await startTraining(moons, optimiser, key(0), moonBatch()(0))
})
afterAll(() => disposeState(start))

const trained = async (batch: FitOptions<Plane>['batch'], more: Partial<FitOptions<Plane>> = {}): Promise<Stopped> => {
  const end = (await collect(fit(moons, start, { ...options, batch, ...more }))).at(-1) as Stopped
  disposeState(end.state)
  return end
}

/** Each way to return a batch that was there before. */
const held: Readonly<Record<string, (x: BatchOf<Plane>) => FitOptions<Plane>['batch']>> = {
  'the same tensor': (x) => () => x,
  'the promise of the same tensor': (x) => async () => x,
  'the same tensor later': (x) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    return x
  },
  'the same tensor, after others were made and freed': (x) => () => {
    tf.add(unwrap(x), 1).dispose()
    return x
  },
}

describe.each(Object.entries(held))('a batch function that returns %s', (_, make) => {
  it('keeps it, in fit, its validation, evaluate and trainingGap', async () => {
    const x = moonBatch()(0)
    const batch = make(x)
    const batches = { count: 3, at: batch }
    expect(
      await grown(async () => {
        const { reason, error } = await trained(batch, { validation: { every: 2, batches } })
        expect([reason, error]).toEqual(['steps', undefined])
        expect((await evaluate(moons, start.params, batches)).count).toBe(48)
        expect((await trainingGap(moons, start.params, batches)).count).toBe(48)
      }),
    ).toBe(0)
    expect((await values(x)).length).toBe(32)
    unwrap(x).dispose()
  })
})

it('batches of a list that was there before stay in it, epoch after epoch', async () => {
  const list = [0, 1, 2].map(moonBatch())
  const end = await trained((n) => list[n % 3]!, { steps: 7 })
  expect([end.reason, list.some((x) => unwrap(x).isDisposed)]).toEqual(['steps', false])
  tf.dispose(list.map(unwrap))
})

it('a batch that its call makes is freed, at once or later', async () => {
  for (const batch of [moonBatch(), async (n: number) => moonBatch()(n)])
    expect(
      await grown(async () => {
        await trained(batch, { validation: { every: 2, batches: { count: 2, at: batch } } })
        await evaluate(moons, start.params, { count: 2, at: batch })
        await trainingGap(moons, start.params, { count: 2, at: batch })
      }),
    ).toBe(0)
})

it('a batch that its call makes and keeps is freed after its step, and fit says what to do', async () => {
  let kept: BatchOf<Plane> | undefined
  const end = await trained((n) => {
    kept ??= moonBatch()(n)
    return kept
  })
  expect(describeError(end.error!)).toContain(
    '; return a new tensor from each call of batch, or one that was made before',
  )
})

describe('of a state that was freed', () => {
  const words =
    "got one that was freed; free a tensor after its last use, and keep a state of fit's events with copyState"
  const uses: Readonly<Record<string, (state: TrainState) => unknown>> = {
    copyState,
    step: (state) => step(moons, options)(state, moonBatch()(0)),
    fit: (state) => collect(fit(moons, state, { ...options, batch: moonBatch() })),
    evaluate: (state) => evaluate(moons, state.params, { count: 1, at: moonBatch() }),
    trainingGap: (state) => trainingGap(moons, state.params, { count: 1, at: moonBatch() }),
    'compiled.sample': (state) => compiled(moons).sample(state.params)(key(0), 2),
    averageParams: (state) => averageParams(moons, optimiser, state),
    values: (state) => values(leaves<AnyTensor>(state.params)[0]![1]),
  }
  it.each(Object.keys(uses))('%s says what to do', async (name) => {
    const state = copyState(start)
    disposeState(state)
    await expect((async () => uses[name]!(state))()).rejects.toThrow(words)
  })
  it('which fit gave with an event, kept without copyState', async () => {
    let kept: TrainState | undefined
    for await (const { _tag, state } of fit(moons, start, { ...options, batch: moonBatch() })) {
      if (_tag === 'Stepped') kept ??= state
      if (_tag === 'Stopped') disposeState(state)
    }
    await expect(step(moons, options)(kept!, moonBatch()(0))).rejects.toThrow(words)
  })
  it('a copy lives on', async () => {
    let kept: TrainState | undefined
    for await (const { _tag, state } of fit(moons, start, { ...options, batch: moonBatch() })) {
      if (_tag === 'Stepped') kept ??= copyState(state)
      if (_tag === 'Stopped') disposeState(state)
    }
    expect(stateBits(kept!).step).toBe(1)
    disposeState(kept!)
  })
  it('a first batch', async () => {
    const x = moonBatch()(0)
    unwrap(x).dispose()
    await expect(startTraining(moons, optimiser, key(0), x)).rejects.toThrow(
      'expected a first batch, got one that was freed',
    )
  })
})
