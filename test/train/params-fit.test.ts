/** Parameters that do not fit are refused in one sentence wherever they go in, before a kernel runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import {
  compiled,
  DiffeoException,
  density,
  diagonalGaussian,
  evaluateVariational,
  key,
  load,
  type Objective,
  realNvpVector,
  reverseKl,
  train,
} from 'diffeo'
import { onnxFunctions } from 'diffeo/engine'
import * as T from 'diffeo/tensor'
import { type AnyTensor, mapLeaves, type Params, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  constantRate,
  disposeState,
  evaluate,
  fit,
  startTraining,
  type TrainState,
  trainingGap,
  trainStep,
} from 'diffeo/train'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { checkParams } from '../../src/tensor/check-params.js'
import '../support.js'
import { moonBatch, moons, plane } from './toy.js'

const optimiser = averaged(adam())
const options = { optimiser, learningRate: constantRate(1e-3) }
const x = moonBatch()(0)
const start = await startTraining(moons, optimiser, key(0), x)
const based = density([2], realNvpVector({ couplings: 2, hidden: [4] }), diagonalGaussian)
const z = moons.bijector.bind(start.params).forward(x)[0]
const batches = { count: 1, at: () => x }
const logDensity = (v: AnyTensor) => T.neg(T.sumEvent(T.square(v)))

/** Every call that takes parameters, or a state with some. */
const calls: Readonly<Record<string, (params: Params) => unknown>> = {
  bind: (p) => moons.bijector.bind(p),
  'bijector.train': (p) => moons.bijector.train(p),
  'bijector.start': (p) => moons.bijector.start(p),
  logProb: (p) => moons.logProb(p),
  bitsPerDim: (p) => moons.bitsPerDim(p),
  'flow.train': (p) => moons.train(p),
  'flow.start': (p) => moons.start(p),
  sample: (p) => moons.sample(p)(key(0), 2),
  'compiled, logProb': (p) => compiled(moons).logProb(p)(x),
  'compiled, bitsPerDim': (p) => compiled(moons).bitsPerDim(p)(x),
  'compiled, forward': (p) => compiled(moons).forward(p)(x),
  'compiled, inverse': (p) => compiled(moons).inverse(p)(z),
  'compiled, sample': (p) => compiled(moons).sample(p)(key(0), 2),
  evaluate: (p) => evaluate(moons, p, batches),
  trainingGap: (p) => trainingGap(moons, p, batches),
  evaluateVariational: (p) => evaluateVariational(moons, logDensity, p, key(0), 10),
  onnxFunctions: (p) => onnxFunctions(moons, p),
  averageParams: (p) => averageParams(moons, optimiser, { ...start, params: p }),
  trainStep: (p) => trainStep(moons, options)({ ...start, params: p }, x),
  'trainStep.prepare': (p) => trainStep(moons, options).prepare({ ...start, params: p }, x),
  fit: (p) => fit(moons, { ...start, params: p }, { ...options, steps: 1, batch: moonBatch() }).next(),
  'fit, an objective': (p) =>
    fit(
      reverseKl(moons, logDensity),
      { ...start, params: p },
      {
        ...options,
        steps: 1,
        batch: () => reverseKl(moons, logDensity).draw(key(0), 2),
      },
    ).next(),
  train: (p) =>
    train(moons, [[0, 0]], { key: key(0), steps: 1, validation: 0, batch: 1, from: { ...start, params: p } }),
}

const { params } = start
const shapes: Params = mapLeaves<AnyTensor, AnyTensor>(params, (leaf, path) =>
  path.endsWith('bias') ? T.trust(tf.fill([1], 0)) : leaf,
)
const [first = '', ...rest] = Object.keys(params)
const faults: Readonly<Record<string, readonly [params: unknown, sentence: RegExp]>> = {
  'another width': [plane(4).init(key(0)), /expected a parameter \S+ of shape 1×6, got one of shape 1×4/],
  'a size of 1': [shapes, /expected a parameter \S+\/bias of shape \d+, got one of shape 1/],
  'a name too few': [
    Object.fromEntries(rest.map((name) => [name, params[name]!])),
    new RegExp(`expected a parameter ${first}\\S* of shape .*, got none among \\d+`),
  ],
  'a name too many': [{ ...params, more: x }, /expected no parameter more, got one/],
  'another flow': [based.init(key(0)), /expected a parameter \S+ of shape .*, got none among/],
  'whole numbers': [
    mapLeaves<AnyTensor, AnyTensor>(params, (leaf) => T.trust(tf.cast(unwrap(leaf), 'int32'))),
    /expected a parameter \S+ of float32, got one of int32/,
  ],
  'a promise': [Promise.resolve(params), /expected a tree of parameters, got a promise of one/],
  'a state': [start, /expected a parameter \S+ of shape .*, got none among/],
}

describe.each(Object.entries(faults))('%s', (_, [bad, sentence]) => {
  it.each(Object.entries(calls))('is refused by %s', async (_, call) => {
    const before = tf.memory().numTensors
    const kernels = vi.spyOn(tf.engine(), 'runKernel')
    try {
      const thrown = await (async () => call(bad as Params))().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(thrown).toBeInstanceOf(DiffeoException)
      expect((thrown as Error).message).toMatch(sentence)
      expect((thrown as Error).message).toContain('pass parameters of this model')
      expect(kernels).not.toHaveBeenCalled()
    } finally {
      kernels.mockRestore()
    }
    expect(tf.memory().numTensors).toBe(before)
  })
})

it('a state without moments is refused', async () => {
  const model = { params: start.params, state: start } as never as TrainState
  await expect(train(moons, [[0, 0]], { key: key(0), steps: 1, from: model })).rejects.toThrow(
    'train: expected a state of training, got an object without moments; pass model.state',
  )
})

it('startTraining refuses an objective whose own parameters do not fit its spec', async () => {
  const objective: Objective<AnyTensor> = {
    kind: 'loss',
    name: 'mine',
    spec: { w: T.constant([2], 0) },
    init: () => ({ w: T.tensor([1], [0]) }),
    loss: (p) => (batch) => [T.sumEvent(batch), p],
  }
  const before = tf.memory().numTensors
  await expect(startTraining(objective, adam(), key(0), x)).rejects.toThrow(
    'startTraining: expected a parameter w of shape 2, got one of shape 1',
  )
  expect(tf.memory().numTensors).toBe(before)
})

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-fit-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  it('of another flow is refused by load', async () => {
    const model = await train(
      moons,
      [
        [0, 1],
        [1, 0],
      ],
      { key: key(0), steps: 1, validation: 0 },
    )
    const path = join(folder, 'moons.safetensors')
    await model.save(path)
    await model.dispose()
    await expect(load(plane(4), path)).rejects.toThrow(
      /expected params\/\S+ of shape 1×4, got 1×6; build the flow from the configuration in the checkpoint/,
    )
    await expect(load(based, path)).rejects.toThrow(DiffeoException)
  })
})

describe('the check', () => {
  it('looks through the trees of a training once: at the first', async () => {
    let looks = 0
    const seen = new Proxy(start.params, {
      ownKeys: (target) => {
        looks += 1
        return Reflect.ownKeys(target)
      },
    })
    const next = trainStep(moons, options)
    checkParams('test', moons.spec, seen)
    const first = looks
    checkParams('test', moons.spec, seen)
    expect(looks).toBe(first)
    const [after] = await next(start, x)
    // made by a step of this flow
    const grown = vi.spyOn(Object, 'keys')
    checkParams('test', moons.spec, after.params)
    expect(grown).not.toHaveBeenCalled()
    grown.mockRestore()
    disposeState(after)
    await next.dispose()
  })
})
