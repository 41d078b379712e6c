import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, describeError, key } from 'diffeo'
import { evaluationBatches, trainBatches } from 'diffeo/data'
import { jit } from 'diffeo/engine'
import { type BatchOf, leaves, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  type Batches,
  constantRate,
  disposeState,
  evaluate,
  type FitEvent,
  type FitOptions,
  type Stepped,
  type Stopped,
  startTraining,
  type TrainState,
  fit as train,
  trainingGap,
  trainStep,
  type Validated,
} from 'diffeo/train'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fileError } from '../../src/error.js'
import { trust } from '../../src/tensor/tensor.js'
import '../support.js'
import { collect, grown, images, moonBatch, moons, stateBits, tiny } from './toy.js'

const optimiser = adam()
const options: FitOptions<BatchOf<readonly [2]>> = { optimiser, learningRate: constantRate(1e-2), batch: moonBatch() }
const lost = new DiffeoException(fileError('read a.bin', 'a file', 'nothing there'))
const heldOut: Batches<BatchOf<readonly [2]>> = { count: 2, at: moonBatch(32, 9) }

let start: TrainState
beforeEach(async () => {
  start = await startTraining(moons, optimiser, key(0), moonBatch()(0))
})
afterEach(() => disposeState(start))

/** All events; the last state is freed after `look`. */
const run = async (
  more: Partial<FitOptions<BatchOf<readonly [2]>>>,
  look: (end: Stopped) => void = () => undefined,
): Promise<{ readonly events: FitEvent[]; readonly end: Stopped; readonly steps: number }> => {
  const events = await collect(train(moons, start, { ...options, ...more }))
  const end = events.at(-1) as Stopped
  look(end)
  disposeState(end.state)
  return { events, end, steps: events.filter((e) => e._tag === 'Stepped').length }
}
const validations = (events: readonly FitEvent[]): Validated[] =>
  events.flatMap((e) => (e._tag === 'Validated' ? [e] : []))

describe('fit stops', () => {
  it('after its steps, counted from the start of the run and not of this part of it', async () => {
    const { end, steps } = await run({ steps: 4 })
    expect([end.reason, end.state.step, steps]).toEqual(['steps', 4, 4])
    expect('error' in end).toBe(false)
    const later = await collect(train(moons, { ...start, step: 3 }, { ...options, steps: 4 }))
    expect(later.map((e) => e._tag)).toEqual(['Compiling', 'Compiled', 'Stepped', 'Stopped'])
    disposeState((later.at(-1) as Stopped).state)
  })
  it('at once, with the state it got, if there is nothing to do', async () => {
    const before = stateBits(start)
    const { events } = await run({ steps: 0 }, ({ state }) => expect(stateBits(state)).toEqual(before))
    expect(events.length).toBe(1)
  })
  it('after its time', async () => {
    expect((await run({ seconds: 0 })).events.map((e) => e._tag)).toEqual(['Stopped'])
    const { end, steps } = await run({ seconds: 0.1 })
    expect(end.reason).toBe('time')
    expect(steps).toBeGreaterThan(0)
    // a clock on which everything takes a millisecond
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now++)
    expect((await run({ seconds: 0.2 })).steps).toBeGreaterThan(1)
    clock.mockRestore()
  })
  it('when its signal is aborted, after the step that it was at', async () => {
    const controller = new AbortController()
    const events: FitEvent[] = []
    for await (const event of train(moons, start, { ...options, signal: controller.signal })) {
      events.push(event)
      if (event._tag === 'Stepped' && event.state.step === 3) controller.abort()
    }
    const end = events.at(-1) as Stopped
    expect([end.reason, end.state.step, events.length]).toEqual(['aborted', 3, 6])
    disposeState(end.state)
  })
  it('before the first step if its signal is aborted already', async () =>
    expect((await run({ signal: AbortSignal.abort(), steps: 9 })).events.map((e) => e._tag)).toEqual(['Stopped']))

  const spoilt =
    (from: number, value: number) =>
    (n: number): BatchOf<readonly [2]> =>
      n < from ? moonBatch()(n) : trust(tf.tensor2d([0, 1, 1, 0, 0, value, 1, 0], [4, 2]))
  it.each([
    ['batch', Number.NaN, 'expected a batch of finite numbers, got NaN in example 2 of it; fix the data'],
    ['loss', 1e30, 'expected a finite loss, got one that is not; go on from an earlier state, with a lower learning'],
    ['gradient', 1e17, 'expected a finite gradient, got one that is not; go on from an earlier state'],
  ])('when a %s is not finite, with the last good state, and says so', async (_, value, words) => {
    const good: unknown[] = []
    const events: FitEvent[] = []
    for await (const event of train(moons, start, { ...options, batch: spoilt(2, value), steps: 9 })) {
      events.push(event)
      good.push(stateBits(event.state))
    }
    const end = events.at(-1) as Stopped
    expect([end.reason, end.state.step, events.length]).toEqual(['notFinite', 2, 5])
    expect(good[4]).toEqual(good[3])
    expect(describeError(end.error!)).toContain(`fit at step 3: ${words}`)
    disposeState(end.state)
  })
  it('after some validations without a better one', async () => {
    const validation = { batches: heldOut, every: 2, patience: 3, best: -1e9 }
    const { events, end } = await run({ validation })
    expect([end.reason, end.state.step]).toEqual(['patience', 6])
    expect(validations(events).map(({ best, worse }) => [best, worse])).toEqual(
      [1, 2, 3].map((worse) => [false, worse]),
    )
  })
  it('as patiently as if it had not been interrupted', async () => {
    const validation = { batches: heldOut, every: 2, patience: 3, best: -1e9, worse: 2 }
    expect((await run({ validation })).end.state.step).toBe(2)
    const { events, end } = await run({ validation: { ...validation, worse: 3 } })
    expect([events.length, end.reason]).toEqual([1, 'patience'])
  })
})

describe('fit', () => {
  it('takes the steps of step, and leaves the state that it got', async () => {
    const before = stateBits(start)
    let state = start
    for (let i = 0; i < 3; i++) {
      const x = moonBatch()(i)
      const [next] = await trainStep(moons, options)(state, x)
      unwrap(x).dispose()
      if (state !== start) disposeState(state)
      state = next
    }
    const wanted = stateBits(state)
    disposeState(state)
    await run({ steps: 3 }, (end) => expect(stateBits(end.state)).toEqual(wanted))
    expect(stateBits(start)).toEqual(before)
  })
  it('takes a single image for a batch, whatever its statistics', async () => {
    const batch = trainBatches(images, key(4), 1)
    const own = await startTraining(tiny, optimiser, key(0), await batch(0))
    const events = await collect(train(tiny, own, { ...options, batch, steps: 5 } as never))
    const end = events.at(-1) as Stopped
    expect([end.reason, end.state.step]).toEqual(['steps', 5])
    const { each } = await evaluate(tiny, end.state.params, evaluationBatches(images, key(5), 1))
    expect(each.length).toBe(images.count)
    expect(each.every(Number.isFinite)).toBe(true)
    disposeState(own)
    disposeState(end.state)
  })
  it('says what compiling took, and counts it neither as a step nor in the time that it has', async () => {
    let [compiling, compiled] = [0, 0]
    const tags: string[] = []
    for await (const event of train(moons, start, { ...options, seconds: 0.2 })) {
      tags.push(event._tag)
      if (event._tag === 'Compiling') {
        compiling = performance.now()
        expect(event.state.step).toBe(0)
        // longer than the time that training has
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
      if (event._tag === 'Compiled') {
        expect(event.state.step).toBe(0)
        expect(event.seconds).toBeGreaterThan(0)
        expect(event.seconds * 1000).toBeLessThanOrEqual(performance.now() - compiling)
        compiled = performance.now()
      }
      if (event._tag === 'Stepped') expect(event.seconds * 1000).toBeLessThanOrEqual(performance.now() - compiled)
      if (event._tag === 'Stopped') disposeState(event.state)
    }
    expect(tags.slice(0, 3)).toEqual(['Compiling', 'Compiled', 'Stepped'])
  })
  it('says what each step was', async () => {
    const { events } = await run({ steps: 2 })
    for (const event of events.slice(2, 4) as Stepped[]) {
      expect(event._tag).toBe('Stepped')
      expect(Number.isFinite(event.bitsPerDim) && event.gradientNorm > 0 && event.seconds > 0).toBe(true)
    }
  })
  it('has states that can be read until the next event', async () => {
    let last = start
    const validation = { batches: heldOut, every: 1 }
    for await (const { state } of train(moons, start, { ...options, steps: 3, validation })) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      expect(stateBits(state).step).toBe(state.step)
      last = state
    }
    disposeState(last)
  })
  it('validates after each so many steps, and marks each that is better than all before', async () => {
    const validation = { batches: heldOut, every: 3 }
    const { events } = await run({ steps: 14, validation })
    const list = validations(events)
    expect(list.map(({ state }) => state.step)).toEqual([3, 6, 9, 12])
    let best = Number.POSITIVE_INFINITY
    let worse = 0
    for (const event of list) {
      expect(event.best).toBe(event.mean < best)
      worse = event.best ? 0 : worse + 1
      expect(event.worse).toBe(worse)
      best = Math.min(best, event.mean)
      expect(event.count).toBe(64)
    }
    expect(list[0]?.best).toBe(true)
  })
  it('takes no validation for better than the best before this run, nor a NaN for better than anything', async () => {
    const nan: Batches<BatchOf<readonly [2]>> = { count: 1, at: () => trust(tf.fill([2, 2], Number.NaN)) }
    const flags = async (validation: NonNullable<FitOptions<BatchOf<readonly [2]>>['validation']>) =>
      validations((await run({ steps: 1, validation })).events).map(({ best }) => best)
    expect(await flags({ batches: heldOut, every: 1, best: -1e9 })).toEqual([false])
    expect(await flags({ batches: heldOut, every: 1, best: 1e9 })).toEqual([true])
    const { mean } = await evaluate(moons, start.params, heldOut)
    const params = () => start.params
    expect(await flags({ batches: heldOut, every: 1, params, best: mean })).toEqual([false])
    expect(await flags({ batches: nan, every: 1 })).toEqual([false])
  })
  it('validates the parameters that it is told to', async () => {
    const own = averaged(adam(), 0)
    const begin = await startTraining(moons, own, key(0), moonBatch()(0))
    const means = async (params?: (state: TrainState) => ReturnType<typeof averageParams>) => {
      const validation = { batches: heldOut, every: 2, ...(params === undefined ? {} : { params }) }
      const events = await collect(train(moons, begin, { ...options, optimiser: own, steps: 4, validation }))
      disposeState((events.at(-1) as Stopped).state)
      return validations(events).map(({ mean }) => mean)
    }
    const plain = await means()
    // An average that forgets at once is the parameters themselves.
    expect(await means((state) => averageParams(moons, own, state))).toEqual(plain)
    const fixed = await means(() => begin.params)
    expect(fixed[0]).toBe(fixed[1])
    expect(fixed[0]).not.toBe(plain[0])
    disposeState(begin)
  })
  it.each([
    ['a batch', { batch: (n: number) => (n === 2 ? Promise.reject(lost) : moonBatch()(n)) }],
    ['a validation', { validation: { every: 2, batches: { count: 1, at: () => Promise.reject(lost) } } }],
  ])('stops with the last good state and the reason when %s cannot be read', async (_, more) => {
    const { end } = await run({ ...more, steps: 9 })
    expect([end.reason, end.state.step, end.error]).toEqual(['failed', 2, lost.error])
  })
  const broken = (): never => {
    throw new TypeError('no more data')
  }
  const faults: Readonly<Record<string, readonly [Partial<FitOptions<BatchOf<readonly [2]>>>, string]>> = {
    'its batch': [{ batch: (n) => (n === 2 ? broken() : moonBatch()(n)) }, 'at step 3: expected a batch'],
    'its learning rate': [{ learningRate: (n) => (n === 2 ? broken() : 1e-3) }, 'at step 3: expected a step'],
    'the parameters to validate': [
      { validation: { every: 2, batches: heldOut, params: broken } },
      'after step 2: expected a validation',
    ],
    'a batch of a validation': [
      { validation: { every: 2, batches: { count: 1, at: broken } } },
      'after step 2: expected a validation',
    ],
  }
  const nothing = (got: unknown) => (n: number) => (n === 1 ? got : moonBatch()(n)) as never
  const noTensors: readonly (readonly [string, unknown, string])[] = [
    ['nothing', undefined, 'none'],
    ['no object', null, 'null'],
    ['a list', [1, 2], 'a list'],
    ['a list of tensors', [undefined], 'a list'],
    ['a promise of nothing', Promise.resolve(), 'none'],
    ['a function', () => 0, 'a function'],
  ]
  it.each(noTensors)('stops with the last good state at a batch that is %s', async (_, got, shown) => {
    const { end } = await run({ batch: nothing(got), steps: 3 })
    expect([end.reason, end.state.step, describeError(end.error!)]).toEqual([
      'failed',
      1,
      `fit at step 2: expected a batch of tensors, got ${shown}; return one: batch(shape, values)`,
    ])
    const batches = { count: 2, at: nothing(got) }
    const sentence = `evaluate at batch 1: expected a batch of tensors, got ${shown}`
    await expect(evaluate(moons, start.params, batches)).rejects.toThrow(sentence)
    const validated = await run({ steps: 3, validation: { every: 1, batches } })
    expect([validated.end.state.step, describeError(validated.end.error!)]).toEqual([
      1,
      expect.stringContaining(sentence),
    ])
  })
  it.each([Number.NaN, 'many'])('says that there is no batch where it takes %s steps', async (steps) => {
    const { end } = await run({ steps: steps as number })
    expect([end.reason, describeError(end.error!)]).toEqual([
      'failed',
      `fit at step 1: expected a batch, got none; make steps a number: it is ${JSON.stringify(steps) === 'null' ? 'NaN' : '"many"'}`,
    ])
  })
  it.each(Object.entries(faults))(
    'keeps the last good state from a fault of the program in %s',
    async (_, [more, when]) => {
      const { end } = await run({ ...more, steps: 9 }, ({ state }) => expect(stateBits(state).step).toBe(2))
      expect(end.reason).toBe('failed')
      expect(describeError(end.error!)).toBe(`fit ${when}, got TypeError: no more data`)
    },
  )
  it('begins a batch before the engine has the one before, one ahead and never past the end', async () => {
    const order: string[] = []
    const slow = async (n: number) => {
      order.push(`begin ${n}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
      return moonBatch()(n)
    }
    const noted = ({ step, params }: TrainState) => {
      order.push(`step ${step}`)
      return params
    }
    const direct = await run({ steps: 3 })
    const { events } = await run({
      steps: 3,
      batch: slow,
      validation: { every: 1, batches: heldOut, params: noted },
    })
    expect(order).toEqual(['begin 0', 'begin 1', 'step 1', 'begin 2', 'step 2', 'step 3'])
    const bits = (list: readonly FitEvent[]) => list.flatMap((e) => (e._tag === 'Stepped' ? [e.bitsPerDim] : []))
    expect(bits(events)).toEqual(bits(direct.events))
  })
  it('lets other work run between steps', async () => {
    let ticks = 0
    const ticking = setInterval(() => ticks++, 0)
    await run({ steps: 20 })
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(5)
  })
  it('reports the loss without the L2 term', async () => {
    const bits = async (l2: number) => ((await run({ steps: 1, l2 })).events[1] as Stepped).bitsPerDim
    expect(await bits(100)).toBe(await bits(0))
  })
})

describe('the number of tensors', () => {
  const validation = { batches: heldOut, every: 2 }
  it('is what it was after a run whose last state is freed', async () => {
    expect(await grown(() => run({ steps: 5, validation }))).toBe(0)
    expect(await grown(() => run({ steps: 5, validation: { ...validation, patience: 1, best: -1e9 } }))).toBe(0)
    expect(await grown(() => run({ batch: () => trust(tf.fill([4, 2], Number.NaN)) }))).toBe(0)
  })
  it('grows by the last state alone', async () => {
    let end: TrainState | undefined
    const size = leaves(start.params).length + start.moments.flat().length
    expect(
      await grown(async () => {
        for await (const { state } of train(moons, start, { ...options, steps: 3, validation })) end = state
      }),
    ).toBe(size)
    disposeState(end!)
  })
  it.each(['Stepped', 'Validated'])('is what it was after a reader leaves at a %s', async (tag) => {
    expect(
      await grown(async () => {
        for await (const event of train(moons, start, { ...options, validation })) if (event._tag === tag) break
      }),
    ).toBe(0)
  })
  it('is what it was after a batch that cannot be made', async () => {
    const broken = (n: number) => {
      if (n === 2) throw new Error('no more data')
      return moonBatch()(n)
    }
    expect(await grown(() => run({ batch: broken }))).toBe(0)
  })
  it('is what it was after a step that could not be taken, and the state before it is the end', async () => {
    const freed = (n: number) => {
      const x = moonBatch()(n)
      if (n === 1) unwrap(x).dispose()
      return x
    }
    const training = async () => {
      const end = (await collect(train(moons, start, { ...options, batch: freed, steps: 3 }))).at(-1)
      expect(end).toMatchObject({ reason: 'failed', state: { step: 1 }, error: { op: 'jit' } })
      if (end?._tag === 'Stopped') disposeState(end.state)
    }
    expect(await grown(training)).toBe(0)
    expect(stateBits(start).step).toBe(0)
  })
})

describe('plain JavaScript without arguments', () => {
  const anything = undefined as never
  const first = async (events: AsyncGenerator<unknown>): Promise<unknown> => (await events.next()).value
  it.each<readonly [string, () => unknown, string]>([
    ['fit', () => first(train(anything, anything, anything)), 'fit: expected a flow or an objective, got undefined'],
    [
      'fit with a layer',
      () => first(train((() => 0) as never, anything, anything)),
      'fit: expected a flow or an objective',
    ],
    ['fit without options', () => first(train(moons, start, anything)), 'fit: expected options, got undefined'],
    ['step', () => trainStep(anything, anything), 'step: expected options, got undefined'],
    [
      'evaluate',
      () => evaluate(anything, anything, anything),
      'evaluate: expected a flow or an objective, got undefined',
    ],
    ['trainingGap', () => trainingGap(anything, anything, anything), 'trainingGap: expected a flow or an objective'],
    ['startTraining', () => startTraining(anything, anything, anything, anything), 'startTraining: expected a flow or'],
    ['jit', () => jit(3 as never), 'jit: expected a function, got number'],
  ])('%s says what it expects', async (_, call, sentence) => {
    await expect((async () => call())()).rejects.toThrow(sentence)
  })
})
