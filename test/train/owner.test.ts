/** Who frees what: the tensors that a caller has stay the caller's, those that a call makes are freed. */
import * as tf from '@tensorflow/tfjs-core'
import { compiled, describeError, key } from 'diffeo'
import { jit, ready } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { type AnyTensor, type BatchOf, disposeParams, leaves, toArray, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  constantRate,
  copyState,
  disposeState,
  evaluate,
  type FitOptions,
  fit,
  type Stopped,
  startTraining,
  type TrainState,
  trainingGap,
  trainStep,
} from 'diffeo/train'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
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

const trained = async (
  batch: FitOptions<BatchOf<Plane>>['batch'],
  more: Partial<FitOptions<BatchOf<Plane>>> = {},
): Promise<Stopped> => {
  const end = (await collect(fit(moons, start, { ...options, batch, ...more }))).at(-1) as Stopped
  disposeState(end.state)
  return end
}

/** Each way to return a batch that was there before. */
const held: Readonly<Record<string, (x: BatchOf<Plane>) => FitOptions<BatchOf<Plane>>['batch']>> = {
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
    expect((await toArray(x)).length).toBe(32)
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

describe.each([
  ['at once', (x: () => BatchOf<Plane>) => x],
  ['later', (x: () => BatchOf<Plane>) => async () => x()],
])('a batch that the first call makes and keeps, returned %s', (_, returned) => {
  const keeping = () => {
    let kept: BatchOf<Plane> | undefined
    const batch: FitOptions<BatchOf<Plane>>['batch'] = returned(() => {
      kept ??= moonBatch()(0)
      return kept
    })
    return { batch, disposed: () => unwrap(kept!).isDisposed, free: () => unwrap(kept!).dispose() }
  }
  const uses: Readonly<Record<string, (batch: FitOptions<BatchOf<Plane>>['batch']) => Promise<unknown>>> = {
    fit: async (batch) => expect((await trained(batch)).reason).toBe('steps'),
    'fit, its validation': (batch) =>
      trained(moonBatch(), { validation: { every: 2, batches: { count: 3, at: batch } } }),
    evaluate: (batch) => evaluate(moons, start.params, { count: 3, at: batch }),
    trainingGap: (batch) => trainingGap(moons, start.params, { count: 3, at: batch }),
  }
  it.each(Object.keys(uses))('is not freed by %s, which can use it again', async (name) => {
    const { batch, disposed, free } = keeping()
    expect(
      await grown(async () => {
        await uses[name]!(batch)
        expect(disposed()).toBe(false)
        await uses[name]!(batch)
        free()
      }),
    ).toBe(0)
  })
  it('is not freed where it takes turns with new ones', async () => {
    const { batch, disposed, free } = keeping()
    expect(
      await grown(async () => {
        const end = await trained((n) => (n % 3 < 2 ? batch(n) : moonBatch()(n)), { steps: 8 })
        expect([end.reason, disposed()]).toEqual(['steps', false])
        free()
      }),
    ).toBe(0)
  })
})

it('batches that calls make and keep for a later epoch are freed, and fit says what to do', async () => {
  const list: BatchOf<Plane>[] = []
  const end = await trained(
    (n) => {
      list[n % 3] ??= moonBatch()(n)
      return list[n % 3]!
    },
    { steps: 7 },
  )
  expect(describeError(end.error!)).toContain(
    '; return a new tensor from each call of batch, or one that was made before',
  )
})

describe('an operation on a freed tensor', () => {
  const freed = <S extends readonly number[]>(shape: S) => {
    const x = tf.ones([...shape])
    x.dispose()
    return x
  }
  const x = () => trust<readonly ['N', 2]>(freed([3, 2]))
  const operations: Readonly<Record<string, () => unknown>> = {
    exp: () => T.exp(x()),
    times: () => T.times(2)(x()),
    sum: () => tf.sum(freed([3])),
    matMul: () => tf.matMul(freed([2, 2]) as tf.Tensor2D, freed([2, 2]) as tf.Tensor2D),
    'a gradient': () => tf.grad((t: tf.Tensor) => tf.sum(tf.square(t)))(freed([3])),
    logProb: () => moons.logProb(start.params)(x()),
    bitsPerDim: () => moons.bitsPerDim(start.params)(x()),
    forward: () => moons.bijector.bind(start.params).forward(x()),
    inverse: () => moons.bijector.bind(start.params).inverse(x()),
    train: () => moons.train(start.params)(x()),
    'logProb with freed parameters': () => {
      const params = moons.init(key(1))
      disposeParams(params)
      return moons.logProb(params)(moonBatch()(0))
    },
    'a function of jit that closes over one': () => {
      const closed = freed([2])
      return jit((t: tf.Tensor) => tf.mul(t, closed))(tf.ones([2]))
    },
  }
  it.each(['wasm', 'cpu', 'onnxruntime'] as const)('says what to do on %s', async (engine) => {
    await ready(engine)
    for (const [name, operation] of Object.entries(operations))
      await expect((async () => operation())(), name).rejects.toThrow(
        'got one that was freed; free a tensor after its last use',
      )
    await ready('auto')
  })
})

describe('of a state that was freed', () => {
  const words =
    "got one that was freed; free a tensor after its last use, and keep a state of fit's events with copyState"
  const uses: Readonly<Record<string, (state: TrainState) => unknown>> = {
    copyState,
    step: (state) => trainStep(moons, options)(state, moonBatch()(0)),
    fit: (state) => collect(fit(moons, state, { ...options, batch: moonBatch() })),
    evaluate: (state) => evaluate(moons, state.params, { count: 1, at: moonBatch() }),
    trainingGap: (state) => trainingGap(moons, state.params, { count: 1, at: moonBatch() }),
    'compiled.sample': (state) => compiled(moons).sample(state.params)(key(0), 2),
    averageParams: (state) => averageParams(moons, optimiser, state),
    values: (state) => toArray(leaves<AnyTensor>(state.params)[0]![1]),
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
    await expect(trainStep(moons, options)(kept!, moonBatch()(0))).rejects.toThrow(words)
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
