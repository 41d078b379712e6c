import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { key } from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { orThrow, restore, saveCheckpoint } from 'diffeo/fp'
import { type BatchOf, foldIn, leaves, batch as makeBatch, unwrap } from 'diffeo/tensor'
import {
  adam,
  constantRate,
  copyState,
  disposeState,
  dynamicLossScale,
  fit,
  type LossScaling,
  loadCheckpoint,
  startTraining,
  type TrainState,
  trainStep,
} from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { halved, raised } from '../../src/train/lossScale.js'
import { distance } from '../compiler/agree.js'
import { collect, descent, grown, moonBatch, moons, stateBits } from './toy.js'

/** Far out, where gradients are large. */
const batch = (n: number): BatchOf<readonly [2]> =>
  makeBatch(
    [2],
    twoMoons()
      .sample(foldIn(key(1), n), 16)
      .map((v) => 50 * v),
  )
const options = { optimiser: adam(), learningRate: constantRate(1e-2), batch }
/** The largest power of two that float32 has: those gradients are not finite with it. */
const huge = 2 ** 127
/** A factor of 1 that stays: the same program as with any other. */
const single = dynamicLossScale({ start: 1 })

describe('the scale of a loss', () => {
  let start: TrainState
  beforeAll(async () => {
    await ready('cpu')
    start = await startTraining(moons, options.optimiser, key(0), moonBatch()(0))
  })
  const run = async (from: TrainState, steps: number, lossScaling?: LossScaling, own = options) => {
    const scaled = lossScaling === undefined ? own : { ...own, lossScaling }
    return (await collect(fit(moons, from, { ...scaled, steps }))).at(-1)!.state
  }
  /** Clipping and Adam forgive a gradient any factor; here a step is the gradient. */
  const bare = { ...options, optimiser: descent, clip: 1e30, learningRate: constantRate(1e-5) }
  const descend = (lossScaling?: LossScaling) => run({ ...start, moments: [] }, 5, lossScaling, bare)

  it('doubles after so many good steps, halves after a bad one, and does not fall below 1', () => {
    const scaling = dynamicLossScale({ start: 8, every: 2 })
    expect(raised({ factor: 8, good: 0 }, scaling)).toEqual({ factor: 8, good: 1 })
    expect(raised({ factor: 8, good: 1 }, scaling)).toEqual({ factor: 16, good: 0 })
    expect(raised({ factor: 2 ** 116, good: 1 }, scaling).factor).toBe(2 ** 116)
    expect(halved({ factor: 8, good: 1 })).toEqual({ factor: 4, good: 0 })
    expect(halved({ factor: 2, good: 1 })).toEqual({ factor: 1, good: 0 })
    expect(halved({ factor: 1, good: 1 })).toBeUndefined()
    expect(halved({ factor: 0.5, good: 1 })).toBeUndefined()
    expect(dynamicLossScale()).toEqual({ start: 65_536, every: 2000 })
  })
  it('changes no bit where there is room for it', async () => {
    const [one, scaled] = [await descend(single), await descend(dynamicLossScale({ every: 2 }))]
    expect(stateBits(scaled)).toEqual(stateBits(one))
    expect(scaled.lossScale).toEqual({ factor: 4 * 65_536, good: 1 })
    for (const state of [one, scaled]) disposeState(state)
  })
  it('is none that a run without it would notice, but for rounding', async () => {
    const [plain, scaled] = [await descend(), await descend(dynamicLossScale())]
    expect(plain.lossScale).toBeUndefined()
    expect(stateBits(plain).params).not.toEqual(stateBits(start).params)
    for (const [path, leaf] of leaves(plain.params)) {
      const other = leaves(scaled.params).find(([own]) => own === path)![1]
      expect(distance(unwrap(other).dataSync(), unwrap(leaf).dataSync()), path).toBeLessThan(1e-5)
    }
    for (const state of [plain, scaled]) disposeState(state)
  })
  it('is halved until the gradients are finite, and no batch is lost', async () => {
    const [one, scaled] = [await run(start, 3, single), await run(start, 3, dynamicLossScale({ start: huge }))]
    expect(stateBits(scaled)).toEqual(stateBits(one))
    expect(scaled.lossScale!.factor).toBeLessThan(huge)
    expect(scaled.lossScale!.factor).toBeGreaterThan(2 ** 100)
    for (const state of [one, scaled]) disposeState(state)
  })
  it('leaves nothing of the steps that came to nothing', async () => {
    const next = trainStep(moons, { ...options, lossScaling: dynamicLossScale({ start: huge }) })
    const x = batch(0)
    const made: TrainState[] = []
    const more = await grown(async () => {
      made.push((await next(start, x))[0])
    })
    expect(made[0]!.lossScale!.factor).toBeLessThan(huge)
    expect(more).toBe(await grown(() => made.push(copyState(start))))
    made.forEach(disposeState)
    unwrap(x).dispose()
    await next.dispose()
  })
  it('is part of what a run goes on from', async () => {
    const scaling = dynamicLossScale({ start: huge, every: 2 })
    const folder = mkdtempSync(join(tmpdir(), 'diffeo-scale-'))
    const path = join(folder, 'half.safetensors')
    const half = await run(start, 3, scaling)
    orThrow(await saveCheckpoint(path)({ state: half, flow: moons })())
    const saved = await loadCheckpoint(path)
    const back = orThrow(restore(moons.bijector.spec, options.optimiser)(saved))
    expect(back.lossScale).toEqual(half.lossScale)
    const [resumed, whole] = [await run(back, 6, scaling), await run(start, 6, scaling)]
    expect([resumed.lossScale, stateBits(resumed)]).toEqual([whole.lossScale, stateBits(whole)])
    // one without a scale forgets it
    const plain = await run(back, 4)
    expect(plain.lossScale).toBeUndefined()
    for (const state of [half, back, resumed, whole, plain]) disposeState(state)
    rmSync(folder, { recursive: true })
  })
  it('is not to blame for a loss that is not finite, whose step is not taken again', async () => {
    let tries = 0
    const bad = { ...options, learningRate: () => Number.NaN * ++tries }
    const events = await collect(fit(moons, start, { ...bad, lossScaling: dynamicLossScale(), steps: 3 }))
    const end = events.at(-1)!
    expect(end).toMatchObject({ _tag: 'Stopped', reason: 'notFinite' })
    // compiling, the step that spoils the parameters, and the one that shows it
    expect(tries).toBe(3)
    disposeState(end.state)
  })
})
