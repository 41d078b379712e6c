/** Without an engine, every operation says what to do. This file imports no engine: the order of its tests matters. */
import * as tf from '@tensorflow/tfjs-core'
import { checkCategory, checkLaws } from 'diffeo/laws'
import type { AnyTensor, BatchOf } from 'diffeo/tensor'
import { expect, it } from 'vitest'
import { diffeo as d } from './everything.js'

const { T } = d

const message = 'engine: expected one that is ready, got none; call `await ready()` first'

/** A tensor as one kept from an engine that is gone: TensorFlow.js makes none without an engine. */
type Make = new (shape: readonly number[], dtype: string, dataId: object, id: number) => tf.Tensor
const fake = (shape: readonly number[], dtype = 'float32'): AnyTensor =>
  // the constructor is not among the public types
  new (tf.Tensor as unknown as Make)(shape, dtype, {}, 0) as unknown as AnyTensor

const vector = fake([4, 6])
const image = fake([2, 4, 4, 8])
const batchOf6 = () => fake([4, 6]) as BatchOf<[6]>
const flow = d.flow(d.atShape([6], d.realNvpVector({ couplings: 2, hidden: [4] })), d.standardNormal)
const standard = d.flow(d.atShape([6], d.sigmoid), d.standardNormal)

const calls: Readonly<Record<string, () => unknown>> = {
  tensor: () => d.tensor([2], [1, 2]),
  batch: () => d.batch([2], [1, 2]),
  drawBase: () => d.drawBase(d.standardNormal, [2], {}, d.key(0), 3),
  'flow.sample': () => standard.sample({})(d.key(0), 2),
  'flow.logProb': () => standard.logProb({})(batchOf6()),
  'bijector.init': () => flow.bijector.init(d.key(0)),
  'bijector.forward': () => standard.bijector.bind({}).forward(batchOf6()),
  initialise: () => d.initialise(flow.bijector.spec, d.key(0)),
  startTraining: () => d.startTraining(flow, d.adam(), d.key(0), batchOf6()),
  evaluate: () => d.evaluate(standard, {}, { count: 1, at: batchOf6 }),
  'compiled.logProb': () => d.compiled(standard).logProb({})(batchOf6()),
  'compiled.sample': () => d.compiled(standard).sample({})(d.key(0), 2),
  jit: () => d.jit((x: AnyTensor) => T.square(x))(vector),
  'jit.prepare': () => d.jit((x: AnyTensor) => T.square(x)).prepare(vector),
  'jit.program': () => d.jit((x: AnyTensor) => T.square(x)).program(vector),
  toOnnx: () => d.toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run: ([x]) => [tf.exp(x!)] }),
}

// `tidy` computes nothing itself
const { tidy, ...operations } = T
type Name = keyof typeof operations
const oneTensor: readonly Name[] = [
  ...(['neg', 'exp', 'log', 'tanh', 'sigmoid', 'softplus', 'relu', 'square', 'sqrt', 'abs'] as const),
  ...(['sumEvent', 'mean', 'sum', 'zeroPerExample', 'spaceToDepth', 'depthToSpace'] as const),
]
const derivatives: readonly Name[] = ['vjp', 'jvp', 'jacobian']
/** Applies an operation to a function first, then to tensors until it returns one. */
const derivative = (f: (g: typeof T.square) => unknown): unknown => {
  let result = f(T.square)
  while (typeof result === 'function') result = (result as (x: AnyTensor) => unknown)(vector)
  return result
}
/** The first argument, and what the result is applied to, where they are not two vectors. */
const curried: Readonly<Partial<Record<Name, readonly [argument: unknown, x?: AnyTensor]>>> = {
  plus: [1],
  times: [2],
  reshape: [[2, 3]],
  transpose: [[1, 0]],
  split: [[2, 4]],
  sumAxis: [1],
  meanAxis: [1],
  maxAxis: [1],
  logSumExp: [1],
  softmax: [1],
  logSoftmax: [1],
  cumsum: [1],
  bias: [fake([6])],
  scale: [fake([6])],
  addEvent: [fake([6])],
  mulEvent: [fake([6])],
  matmul: [fake([6, 3])],
  conv2d: [fake([3, 3, 8, 2]), image],
}
const operationCalls = (Object.keys(operations) as Name[]).map((name): [string, () => unknown] => {
  const f = T[name] as (...args: readonly unknown[]) => unknown
  if (oneTensor.includes(name)) return [name, () => f(/depth/i.test(name) ? image : vector)]
  const pairs: Readonly<Partial<Record<Name, readonly [unknown, unknown]>>> = {
    slice: [1, 2],
    clip: [-1, 1],
    gather: [[0], 1],
  }
  const pair = pairs[name]
  if (pair !== undefined) return [name, () => (f(...pair) as (x: AnyTensor) => unknown)(vector)]
  if (name === 'where') return [name, () => T.where(fake([4, 6], 'bool') as never)(1)(vector as never)]
  if (derivatives.includes(name)) return [name, () => derivative(f)]
  const [argument, x = vector] = curried[name] ?? [vector]
  return [name, () => (f(argument) as (x: AnyTensor) => unknown)(x)]
})

it.each([...Object.entries(calls), ...operationCalls])('%s asks for ready()', async (_, call) => {
  await expect((async () => call())()).rejects.toThrow(message)
})

it('the laws ask for ready() instead of blaming the bijector', () => {
  const b = d.atShape([6], d.sigmoid)
  const said = (call: () => void): string => {
    try {
      call()
      return 'no error'
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  expect(said(() => checkLaws(b))).toBe(message)
  expect(said(() => checkCategory([{ bijector: b, domain: [-2, 2], anywhere: true }]))).toBe(message)
})

it('asks for ready() while an engine starts, and computes once it has', async () => {
  const create = (): string => {
    try {
      return `${d.sizes(d.tensor([1], [1]))}`
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  let started = false
  const starting = d.ready('wasm').then(() => {
    started = true
  })
  const before: string[] = []
  while (!started) {
    before.push(create())
    await new Promise((resolve) => setImmediate(resolve))
  }
  await starting
  expect(before[0]).toBe(message)
  expect(before.filter((text) => text !== message && text !== '1')).toEqual([])
  expect(create()).toBe('1')
})
