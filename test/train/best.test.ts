/** The best validation in the last event of `fit`, and who frees it. */
import * as tf from '@tensorflow/tfjs-core'
import { compiled, key } from 'diffeo'
import { disposeParams } from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  type Batches,
  disposeState,
  evaluate,
  type FitOptions,
  fit,
  type Stopped,
  startTraining,
  type TrainState,
  type Validated,
} from 'diffeo/train'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { copyParams } from '../../src/train/state.js'
import '../support.js'
import { collect, moonBatch, moons, treeBits } from './toy.js'

type Moons = ReturnType<ReturnType<typeof moonBatch>>
const optimiser = averaged(adam())
const heldOut: Batches<Moons> = { count: 2, at: moonBatch(32, 9) }
// so large a rate that the last validation is not the best
const options: FitOptions<Moons> = {
  optimiser,
  learningRate: (step) => (step < 4 ? 1e-2 : 3),
  batch: moonBatch(),
  steps: 8,
}
let start: TrainState
beforeAll(async () => {
  start = await startTraining(moons, optimiser, key(0), moonBatch()(0))
})
afterAll(async () => {
  disposeState(start)
  await compiled(moons).dispose()
})

/** The last event and the parameters of the best validation, copied where it was made. */
const run = async (validation: Partial<NonNullable<FitOptions<Moons>['validation']>> = {}) => {
  const means: number[] = []
  let copied: ReturnType<typeof copyParams> | undefined
  const params = validation.params ?? ((state: TrainState) => state.params)
  for await (const event of fit(moons, start, {
    ...options,
    validation: { batches: heldOut, every: 1, keepBest: true, ...validation },
  })) {
    if (event._tag === 'Validated') {
      means.push(event.mean)
      if (!event.best) continue
      if (copied !== undefined) disposeParams(copied)
      copied = copyParams(params(event.state))
    }
    if (event._tag === 'Stopped') return { end: event, means, copied: copied! }
  }
  throw new Error('fit ended without Stopped')
}

it.each<readonly [string, Partial<NonNullable<FitOptions<Moons>['validation']>>]>([
  ['of the parameters', {}],
  ['of their average', { params: (state) => averageParams(moons, optimiser, state) }],
])('has the figure and the parameters %s', async (_, validation) => {
  const { end, means, copied } = await run(validation)
  const { step, mean, params } = end.best!
  expect(mean).toBe(Math.min(...means))
  expect(step).toBe(means.indexOf(mean) + 1)
  expect(treeBits(params)).toEqual(treeBits(copied))
  expect((await evaluate(moons, params, heldOut)).mean).toBe(mean)
  disposeState(end.state)
  for (const tree of [params, copied]) disposeParams(tree)
})

it('is not the last where training made it worse', async () => {
  const { end, copied } = await run()
  expect(end.best!.step).toBeLessThan(end.state.step)
  expect(treeBits(end.best!.params)).not.toEqual(treeBits(end.state.params))
  disposeState(end.state)
  for (const tree of [end.best!.params, copied]) disposeParams(tree)
})

it('is absent without a validation, without keepBest, and where none was better than before', async () => {
  const without = (await collect(fit(moons, start, options))).at(-1) as Stopped
  expect('best' in without).toBe(false)
  disposeState(without.state)
  const unasked = await run({ keepBest: false })
  expect('best' in unasked.end).toBe(false)
  disposeState(unasked.end.state)
  disposeParams(unasked.copied)
  const { end } = await run({ best: -1e9 })
  expect('best' in end).toBe(false)
  disposeState(end.state)
})

it("is the caller's to free, like the state, and freed by fit where the caller leaves early", async () => {
  const before = tf.memory().numTensors
  const { end, copied } = await run()
  disposeParams(copied)
  const tensors = end.state.moments.flat().length + treeBits(end.state.params).length
  expect(tf.memory().numTensors - before).toBe(tensors + treeBits(end.best!.params).length)
  disposeState(end.state)
  disposeParams(end.best!.params)
  expect(tf.memory().numTensors).toBe(before)
  const seen: Validated[] = []
  for await (const event of fit(moons, start, {
    ...options,
    validation: { batches: heldOut, every: 1, keepBest: true },
  })) {
    if (event._tag === 'Validated') seen.push(event)
    if (seen.length === 2) break
  }
  expect(tf.memory().numTensors).toBe(before)
})

it('survives a training that fails', async () => {
  const broken = {
    ...options,
    batch: (step: number) => {
      if (step > 2) throw new Error('no more')
      return moonBatch()(step)
    },
    validation: { batches: heldOut, every: 1, keepBest: true },
  }
  const end = (await collect(fit(moons, start, broken))).at(-1) as Stopped
  expect([end.reason, end.best === undefined]).toEqual(['failed', false])
  disposeState(end.state)
  disposeParams(end.best!.params)
})
