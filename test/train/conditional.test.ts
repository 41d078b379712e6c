import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  compose,
  coupling,
  flow,
  halves,
  input,
  type Key,
  key,
  mlp,
  realNvpVector,
  standardNormal,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import { orThrow, restore, saveCheckpoint } from 'diffeo/fp'
import {
  type AnyTensor,
  type BatchOf,
  batch,
  foldIn,
  leaves,
  normalArray,
  unwrap,
  toArray as valuesOf,
} from 'diffeo/tensor'
import {
  adam,
  constantRate,
  cosineRate,
  disposeState,
  evaluate,
  fit,
  loadCheckpoint,
  type Stopped,
  startTraining,
  type TrainState,
  trainingGap,
} from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { fingerprint, isSameFlow } from '../../src/train/fingerprint.js'

interface Pair {
  readonly x: BatchOf<readonly [2]>
  readonly given: BatchOf<readonly [5]>
}
/** θ ~ N(0, I₂); of it are seen θ₁ + θ₂ and θ₁ − θ₂ with noise N(0, 1), and 3 numbers of noise. */
const simulate = (k: Key, n: number): Pair => {
  const theta = normalArray(foldIn(k, 0), 2 * n)
  const noise = normalArray(foldIn(k, 1), 5 * n)
  const seen = noise.map((e, i) => {
    const [row, column] = [Math.floor(i / 5), i % 5]
    const [a, b] = [theta[2 * row]!, theta[2 * row + 1]!]
    return e + (column === 0 ? a + b : column === 1 ? a - b : 0)
  })
  return { x: batch([2], theta), given: batch([5], seen) }
}
/** θᵢ | x ~ N((x₁ ± x₂)/3, 1/3) */
const exact = (theta: ArrayLike<number>, seen: ArrayLike<number>): readonly number[] =>
  Array.from({ length: theta.length / 2 }, (_, i) => {
    const at = (j: number) => theta[2 * i + j]! - (seen[5 * i]! + (j === 0 ? 1 : -1) * seen[5 * i + 1]!) / 3
    return -1.5 * (at(0) ** 2 + at(1) ** 2) - Math.log((2 * Math.PI) / 3)
  })
const free = ({ x, given }: Pair): void => tf.dispose([unwrap(x), unwrap(given)])
const meanOf = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length

beforeAll(async () => {
  await ready('onnxruntime')
})

const net = mlp()
const posterior = flow(
  compose(
    input([2], { given: [5] }),
    coupling(halves(), net),
    coupling(halves('second'), net),
    coupling(halves(), net),
    coupling(halves('second'), net),
  ),
  standardNormal,
)

it('a conditional flow learns a posterior: E log q within 0.01 nats of the exact one after 2,000 steps', async () => {
  const optimiser = adam()
  const steps = 2000
  const first = simulate(key(1), 256)
  const start = await startTraining(posterior, optimiser, key(0), first)
  free(first)
  let end: Stopped | undefined
  const options = { optimiser, learningRate: cosineRate(5e-3, steps), steps }
  for await (const event of fit(posterior, start, { ...options, batch: (step) => simulate(foldIn(key(1), step), 256) }))
    if (event._tag === 'Stopped') end = event
  expect(end!.reason).toBe('steps')
  const { params } = end!.state
  const test = simulate(key(99), 20_000)
  const truth = meanOf(exact(await valuesOf(test.x), await valuesOf(test.given)))
  const { nats } = await evaluate(posterior, params, { count: 1, at: () => test })
  expect(Math.abs(-nats - truth)).toBeLessThan(0.01)
  free(test)
  // draws for one observation: means (0.7, 0.3), deviations 1/√3
  const observation = batch([5], [1.5, 0.6, 0, 0, 0])
  const draws = posterior.given(observation).sample(params)(key(7), 20_000)
  const drawn = await valuesOf(draws)
  for (const [j, expected] of [0.7, 0.3].entries()) {
    const own = [...drawn].filter((_, i) => i % 2 === j)
    const mean = meanOf(own)
    expect(Math.abs(mean - expected)).toBeLessThan(0.04)
    expect(Math.abs(Math.sqrt(meanOf(own.map((v) => (v - mean) ** 2))) - Math.sqrt(1 / 3))).toBeLessThan(0.03)
  }
  tf.dispose([unwrap(draws), unwrap(observation)])
  disposeState(start)
  disposeState(end!.state)
}, 60_000)

describe('training on pairs', () => {
  const tiny = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] }), { given: [5] }), standardNormal)
  const optimiser = adam()
  const batchAt = (step: number) => simulate(foldIn(key(2), step), 8)
  const options = { optimiser, learningRate: constantRate(1e-2) }

  it('keeps memory flat, and frees the pairs it made', async () => {
    const first = batchAt(0)
    const start = await startTraining(tiny, optimiser, key(0), first)
    free(first)
    const before = tf.memory().numTensors
    const validation = { batches: { count: 2, at: batchAt }, every: 2 }
    for await (const event of fit(tiny, start, { ...options, batch: batchAt, steps: 4, validation }))
      if (event._tag === 'Stopped') {
        expect(event.reason).toBe('steps')
        disposeState(event.state)
      }
    const { count } = await trainingGap(tiny, start.params, { count: 2, at: batchAt })
    expect(count).toBe(16)
    expect(tf.memory().numTensors).toBe(before)
    disposeState(start)
  })
  it('says which part of a batch is not finite', async () => {
    const first = batchAt(0)
    const start = await startTraining(tiny, optimiser, key(0), first)
    free(first)
    const spoilt = (): Pair => ({
      ...batchAt(1),
      given: batch([5], new Float32Array(40).fill(Number.NaN, 10)),
    })
    for await (const event of fit(tiny, start, { ...options, batch: spoilt, steps: 2 }))
      if (event._tag === 'Stopped') {
        expect(event.error).toMatchObject({ expected: 'a batch of finite numbers', got: 'NaN in example 2 of given' })
        disposeState(event.state)
      }
    disposeState(start)
  })
  it('resumes from a checkpoint bit for bit', async () => {
    const first = batchAt(0)
    const start = await startTraining(tiny, optimiser, key(0), first)
    free(first)
    const trainedTo = async (from: TrainState, steps: number): Promise<TrainState> => {
      for await (const event of fit(tiny, from, { ...options, batch: batchAt, steps }))
        if (event._tag === 'Stopped') return event.state
      throw new Error('fit did not stop')
    }
    const path = join(mkdtempSync(join(tmpdir(), 'diffeo-')), 'run.safetensors')
    const two = await trainedTo(start, 2)
    orThrow(await saveCheckpoint(path)({ state: two, flow: tiny })())
    const resumed = await trainedTo(orThrow(restore(tiny, optimiser)(await loadCheckpoint(path))), 4)
    const whole = await trainedTo(start, 4)
    const numbers = ({ params }: TrainState) =>
      leaves<AnyTensor>(params).map(([, leaf]) => [...unwrap(leaf).dataSync()])
    expect(numbers(resumed)).toEqual(numbers(whole))
    const other = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] }), { given: [3] }), standardNormal)
    const saved = await loadCheckpoint(path)
    expect(() => orThrow(restore(other, optimiser)(saved))).toThrow('of shape 4×4')
    for (const state of [start, two, resumed, whole]) disposeState(state)
  })
  it('tells conditional flows apart by what they compute', () => {
    const other = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] }), { given: [5] }), standardNormal)
    const spline = { couplings: 2, hidden: [4], transformer: 'spline' } as const
    const another = flow(atShape([2], realNvpVector(spline), { given: [5] }), standardNormal)
    expect(fingerprint(tiny)).toBeDefined()
    expect(isSameFlow(fingerprint(tiny), fingerprint(other))).toBe(true)
    expect(isSameFlow(fingerprint(tiny), fingerprint(another))).toBe(false)
  })
})
