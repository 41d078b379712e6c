import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  batchNorm,
  compose,
  type Flow,
  flow,
  halves,
  input,
  key,
  mlp,
  realNvpVector,
  splineCoupling,
  standardNormal,
} from 'diffeo'
import { batch, orThrow } from 'diffeo/fp'
import { type BatchOf, foldIn, leaves, normalArray, type Param, unwrap } from 'diffeo/tensor'
import { averaged, constantRate, disposeState, startTraining, trainStep } from 'diffeo/train'
import { afterEach, describe, expect, it } from 'vitest'
import { eagerCompiler, setCompiler } from '../../../src/backends/compiler.js'
import { fromElements, runCall, runEagerly } from '../../../src/compiler/evaluate.js'
import { ALL_REDUCE } from '../../../src/compiler/operations.js'
import { type Program, sizeOf } from '../../../src/compiler/program.js'
import { partition } from '../../../src/compiler/shard/partition.js'
import { trace } from '../../../src/compiler/trace.js'
import type { Latents, Shape } from '../../../types/shape.js'
import '../../support.js'
import { descent, moonBatch, moons, tiny, tinyBatch } from '../../train/toy.js'

afterEach(() => setCompiler(eagerCompiler))

/** A program and what it was given. */
interface Seen {
  readonly program: Program
  readonly inputs: readonly tf.Tensor[]
}

/** Every program that `f` runs. */
const seenBy = async (f: () => Promise<void>): Promise<readonly Seen[]> => {
  const seen: Seen[] = []
  setCompiler(async ({ program }) => ({
    run: (inputs) => {
      seen.push({ program, inputs: inputs.map((t) => tf.keep(tf.clone(t))) })
      return runEagerly(program)(inputs)
    },
    dispose: async () => {},
  }))
  await f()
  setCompiler(eagerCompiler)
  return seen
}

/** What every worker answers: all programs call by call side by side, `AllReduce` as the mean over the workers. */
const sideBySide = (programs: readonly Program[], inputs: readonly (readonly tf.Tensor[])[]) => {
  const made = programs.map(({ inputs: own, constants, values }, k) => {
    const known = new Map(own.map((v, i) => [v, inputs[k]![i]!]))
    for (const [v, data] of constants) known.set(v, fromElements(data, values[v]!))
    return known
  })
  for (const [i, { kernel }] of programs[0]!.calls.entries()) {
    const calls = programs.map(({ calls }) => calls[i]!)
    const given = calls.map((call, k) => call.inputs.map((v) => made[k]!.get(v)!))
    const mean = kernel === ALL_REDUCE ? tf.div(tf.addN(given.map(([x]) => x!)), programs.length) : undefined
    for (const [k, call] of calls.entries()) {
      const answers = mean === undefined ? runCall(call, given[k]!) : [mean]
      for (const [j, v] of call.outputs.entries()) {
        expect(answers[j]!.shape).toEqual(programs[k]!.values[v]!.shape)
        made[k]!.set(v, answers[j]!)
      }
    }
  }
  return programs.map(({ outputs }, k) => outputs.map((v) => [...made[k]!.get(v)!.dataSync()]))
}

const slices = (t: tf.Tensor, count: number) =>
  Array.from({ length: count }, (_, k) => tf.slice(t, [(k * t.shape[0]!) / count], [t.shape[0]! / count]))

/** The largest difference, of the largest number; a mean of numbers near 1 that cancel is not exact to a share of itself. */
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!))) / Math.max(1e-2, ...b.map(Math.abs))

const agree = async ({ program, inputs }: Seen, batch: readonly number[], count: number): Promise<Program> => {
  const whole = (await runEagerly(program)(inputs)).map((t) => [...t.dataSync()])
  const programs = Array.from({ length: count }, (_, index) => partition(program, new Set(batch), { index, count }))
  const shares = inputs.map((t, i) => (batch.includes(i) ? slices(t, count) : Array.from({ length: count }, () => t)))
  const answers = sideBySide(
    programs,
    programs.map((_, k) => shares.map((own) => own[k]!)),
  )
  for (const own of answers) {
    expect(own).toEqual(answers[0])
    for (const [i, value] of own.entries()) expect(apart(value, whole[i]!)).toBeLessThan(2e-5)
  }
  return programs[0]!
}

const reductions = ({ calls, values }: Program) =>
  calls.flatMap(({ kernel, outputs: [v] }) => (kernel === ALL_REDUCE ? [values[v!]!.shape] : []))

const spline = flow(
  compose(
    input([2]),
    splineCoupling(halves(), mlp({ hidden: [8] })),
    batchNorm(),
    splineCoupling(halves('second'), mlp({ hidden: [8] })),
  ),
  standardNormal,
)

describe('the share of a worker', () => {
  it.each([
    ['of a flow of the plane, among 2', moons, moonBatch(16), 2],
    ['of a flow of the plane, among 4', moons, moonBatch(16), 4],
    ['of a flow of the plane, among 3', moons, moonBatch(9), 3],
    ['of splines and batch norm, among 2', spline, moonBatch(16), 2],
    ['of every kind of statistic, among 2', tiny, tinyBatch, 2],
    ['of every kind of statistic, among 4', tiny, tinyBatch, 4],
  ])('%s, answers what the whole batch does', async (_, model, batches, count) => {
    const [f, batch] = [
      model as unknown as Flow<Shape, Latents>,
      batches as unknown as (n: number) => Promise<BatchOf<Shape>>,
    ]
    const optimiser = averaged(descent)
    const [starting, stepping] = await seenBy(async () => {
      const x = await batch(0)
      const state = await startTraining(f, optimiser, key(0), x)
      const [after] = await trainStep(f, { optimiser, learningRate: constantRate(1e-2) })(state, x)
      disposeState(state)
      disposeState(after)
      unwrap(x).dispose()
    })
    await agree(starting!, [starting!.inputs.length - 1], count)
    const program = await agree(stepping!, [stepping!.inputs.length - 2], count)
    // all gradients at once, and no example leaves its worker
    const sizes = reductions(program).map(sizeOf)
    const trained = leaves<Param>(f.bijector.spec).filter(([, { role }]) => role !== 'statistic')
    const gradient = trained.reduce((n, [, { shape }]) => n + sizeOf(shape), 0)
    expect(sizes.filter((n) => n === gradient)).toHaveLength(1)
    expect(Math.max(...sizes)).toBe(gradient)
  })

  it.each([2, 4])('of a conditional flow, among %i: contexts are shared out with their examples', async (count) => {
    const posterior = flow(
      atShape([2], compose(realNvpVector({ couplings: 2, hidden: [4] }), batchNorm()), { given: [3] }),
      standardNormal,
    )
    const numbers = (place: number, size: number) => normalArray(foldIn(key(3), place), size)
    const pair = { x: orThrow(batch([2], numbers(0, 16))), given: orThrow(batch([3], numbers(1, 24))) }
    const [starting, stepping] = await seenBy(async () => {
      const state = await startTraining(posterior, descent, key(0), pair)
      const [after] = await trainStep(posterior, { optimiser: descent, learningRate: constantRate(1e-2) })(state, pair)
      disposeState(state)
      disposeState(after)
    })
    const last = (seen: Seen, ...places: readonly number[]) => places.map((place) => seen.inputs.length - place)
    await agree(starting!, last(starting!, 2, 1), count)
    await agree(stepping!, last(stepping!, 3, 2), count)
  })

  const one = (f: (x: tf.Tensor) => tf.Tensor, shape: readonly number[]): Seen => ({
    program: trace(([x]) => [f(x!)], [{ shape, dtype: 'float32' }]),
    inputs: [tf.randomNormal([...shape], 0, 1, 'float32', 3)],
  })
  const moments = (x: tf.Tensor, axes: number | number[], keepDims = false): readonly [tf.Tensor, tf.Tensor] => {
    const mean = tf.mean(x, axes, keepDims)
    return [mean, tf.mean(tf.square(tf.sub(x, mean)), axes, keepDims)]
  }
  const variance = (...given: Parameters<typeof moments>): tf.Tensor => moments(...given)[1]
  it.each<readonly [string, (x: tf.Tensor) => tf.Tensor, number]>([
    ['a sum', (x) => tf.sum(x), 1],
    ['a mean of a sum along another axis', (x) => tf.mean(tf.sum(x, -1)), 1],
    ['a product that contracts the batch', (x) => tf.matMul(tf.reshape(x, [6, 8]), tf.reshape(x, [6, 8]), true), 1],
    ['what is affine in a mean', (x) => tf.add(tf.mul(tf.mean(x, 0), 3), 1), 1],
    ['a variance', (x) => variance(x, 0), 1],
    ['a variance far from 0, where squares would cancel', (x) => variance(tf.add(x, 1000), [0, 1]), 1],
    ['a mean and its variance', (x) => tf.concat([...moments(x, [0, 1])]), 1],
    ['both with their axes kept', (x) => tf.concat([...moments(x, 0, true)]), 1],
    ['a variance of each example', (x) => tf.sum(variance(x, [1, 2], true)), 1],
    ['positions that are examples for a while', (x) => tf.sum(tf.tanh(tf.reshape(x, [24, 2])), 0), 1],
    ['a batch that is turned', (x) => tf.sum(tf.exp(tf.transpose(tf.reshape(x, [6, 8]))), 1), 1],
    ['weights of the whole batch', (x) => tf.sum(tf.mul(x, tf.tensor3d([1, 2, 3, 4, 5, 6], [6, 1, 1]))), 1],
    ['pieces side by side', (x) => tf.sum(tf.square(tf.concat(tf.split(x, 2, 1).reverse(), 1)), [0, 2]), 1],
    ['nothing of the batch', () => tf.ones([3]), 0],
    ['two that meet together', (x) => tf.mul(tf.exp(tf.mean(x, 0)), tf.exp(tf.mean(tf.sin(x)))), 1],
    ['one that waits for the other', (x) => tf.mean(tf.tanh(tf.mul(x, tf.mean(x, 0)))), 2],
    [
      'four, of which two wait',
      (x) => {
        const y = tf.tanh(tf.mul(x, tf.mean(x, 0)))
        return tf.mul(tf.mul(tf.exp(tf.mean(y)), tf.exp(tf.mean(tf.sin(x), 0))), tf.exp(tf.mean(tf.cos(y), 0)))
      },
      2,
    ],
  ])('of %s', async (_, f, count) => {
    for (const workers of [2, 3]) expect(reductions(await agree(one(f, [6, 4, 2]), [0], workers))).toHaveLength(count)
  })
  it.each<readonly [string, (x: tf.Tensor) => tf.Tensor, string]>([
    ['the largest of a batch', (x) => tf.max(x), "'Max' along the batch"],
    ['a cumulative sum over examples', (x) => tf.sum(tf.cumsum(x, 0)), "'Cumsum' along the batch"],
    ['one example', (x) => tf.slice(x, [0], [1]), "'Slice' along the batch"],
    ['a result for each example', (x) => tf.sum(x, [1, 2]), "'a result'"],
  ])('is refused where there is none: %s', (_, f, got) => {
    const { program } = one(f, [6, 4, 2])
    expect(() => partition(program, new Set([0]), { index: 0, count: 2 })).toThrow(got)
  })
  it('wants a batch that can be shared out', () => {
    const { program } = one((x) => tf.sum(x), [6, 4, 2])
    expect(() => partition(program, new Set([0]), { index: 0, count: 4 })).toThrow(
      'workers: expected a batch whose size is a multiple of 4, got 6',
    )
  })
})
