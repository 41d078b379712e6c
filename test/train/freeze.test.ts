/** Frozen parameters stay, bit for bit, and all else is as it was. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { key, train } from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { type AnyTensor, type BatchOf, leaves, type Params, unwrap } from 'diffeo/tensor'
import {
  adam,
  averaged,
  constantRate,
  disposeState,
  fit,
  loadCheckpoint,
  restore,
  type StepOptions,
  saveCheckpoint,
  startTraining,
  type TrainState,
  trainStep,
} from 'diffeo/train'
import { afterAll, describe, expect, it } from 'vitest'
import { moonBatch, moons, tiny, tinyBatch } from './toy.js'

const optimiser = averaged(adam())
const options = { optimiser, learningRate: constantRate(1e-2) }
const folder = mkdtempSync(join(tmpdir(), 'diffeo-freeze-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
  return ready('cpu')
})

const bitsOf = async (t: AnyTensor): Promise<string> =>
  Buffer.from(Float32Array.from(await unwrap(t).data()).buffer).toString('hex')
const bits = async (params: Params): Promise<ReadonlyMap<string, string>> =>
  new Map(await Promise.all(leaves<AnyTensor>(params).map(async ([path, t]) => [path, await bitsOf(t)] as const)))
/** Which leaves differ. */
const changes = async (a: Params, b: Params): Promise<readonly string[]> => {
  const [before, after] = [await bits(a), await bits(b)]
  return [...before].filter(([path, value]) => after.get(path) !== value).map(([path]) => path)
}
const momentBits = (state: TrainState) =>
  Promise.all(state.moments.map((list) => Promise.all(list.map((t) => bitsOf(t as never)))))

/** The state after so many steps. */
const run = async (from: TrainState, steps: number, freeze?: StepOptions['freeze']): Promise<TrainState> => {
  const events = fit(moons, from, { ...options, steps, batch: moonBatch(), ...(freeze && { freeze }) })
  let end: TrainState | undefined
  for await (const event of events) {
    if (event._tag !== 'Stopped') continue
    expect(event.error).toBeUndefined()
    end = event.state
  }
  return end!
}

const engines: readonly EngineName[] = ['cpu', 'onnxruntime']
describe.each(engines)('on %s', (engine) => {
  it('frozen parameters and their moments stay; all others are trained', async () => {
    await ready(engine)
    const start = await startTraining(moons, optimiser, key(0), moonBatch()(0))
    const warm = await run(start, 2)
    const end = await run(warm, 6, ['1.coupling/**'])
    const changed = await changes(warm.params, end.params)
    const paths = leaves(moons.spec).map(([path]) => path)
    const trained = leaves(moons.spec).flatMap(([path, p]) => (p.role === 'statistic' ? [] : [path]))
    expect(changed).toEqual(trained.filter((path) => !path.startsWith('1.coupling/')))
    expect(paths.some((path) => path.startsWith('1.coupling/'))).toBe(true)
    const [old, now] = [await momentBits(warm), await momentBits(end)]
    trained.forEach((path, i) => {
      for (const list of old.keys()) expect(now[list]![i] === old[list]![i]).toBe(path.startsWith('1.coupling/'))
    })
    for (const state of [start, warm, end]) disposeState(state)
  })
  it('statistics stay, too, and the others move', async () => {
    await ready(engine)
    const x = await tinyBatch(0)
    const start = await startTraining(tiny, optimiser, key(0), x)
    const step = trainStep(tiny, { ...options, freeze: ['**/*batchNorm/*'] })
    const [end] = await step(start, x)
    const changed = await changes(start.params, end.params)
    const isStatistic = new Map(leaves(tiny.spec).map(([path, p]) => [path, p.role === 'statistic']))
    const frozen = [...isStatistic.keys()].filter((path) => /batchNorm\/[^/]*$/.test(path))
    expect(frozen.some((path) => isStatistic.get(path))).toBe(true)
    expect(changed.filter((path) => frozen.includes(path))).toEqual([])
    expect(changed.length).toBeGreaterThan(0)
    await step.dispose()
    disposeState(start)
    disposeState(end)
    unwrap(x as BatchOf<readonly [4, 4, 1]>).dispose()
  })
})

it('a run that stops and resumes from a file is the run that never stopped, frozen or not', async () => {
  await ready('cpu')
  const start = await startTraining(moons, optimiser, key(0), moonBatch()(0))
  const freeze = ['*/net/dense0/*']
  const whole = await run(start, 6, freeze)
  const half = await run(start, 3, freeze)
  const path = join(folder, 'half.safetensors')
  await saveCheckpoint(path, { state: half, flow: moons })
  const again = restore(await loadCheckpoint(path), moons, optimiser)
  const resumed = await run(again, 6, freeze)
  expect(await changes(whole.params, resumed.params)).toEqual([])
  expect(await momentBits(resumed)).toEqual(await momentBits(whole))
  const thawed = await run(resumed, 7)
  expect((await changes(resumed.params, thawed.params)).length).toBeGreaterThan(
    (await changes(start.params, whole.params)).length,
  )
  for (const state of [start, whole, half, again, resumed, thawed]) disposeState(state)
})

it('train freezes what its model keeps', async () => {
  await ready('cpu')
  const data = [
    [0, 1],
    [1, 0],
    [2, 2],
    [3, 1],
  ] as const
  const first = await train(moons, data, { key: key(0), steps: 3, validation: 0.25 })
  const second = await train(moons, data, {
    key: key(0),
    steps: 6,
    validation: 0.25,
    from: first.state,
    freeze: ['1.coupling/**', '3.actNorm/*'],
  })
  const changed = await changes(first.state.params, second.state.params)
  expect(changed.length).toBeGreaterThan(0)
  expect(changed.every((path) => path.startsWith('2.coupling/'))).toBe(true)
  await first.dispose()
  await second.dispose()
})

describe('paths', () => {
  const step = (freeze: unknown) => trainStep(moons, { ...options, freeze: freeze as readonly string[] })
  it.each<readonly [unknown, string]>([
    [
      ['1.couplng/**'],
      'freeze: expected the path of a parameter, got "1.couplng/**"; near it are 1.coupling/**, 2.coupling/**, 1.coupling/net/**',
    ],
    [['1.coupling'], 'got "1.coupling"; near it are 1.coupling/**, '],
    [['**', 'x'], 'got "x"; near it are '],
    [['*'], 'freeze: expected the path of a parameter, got "*"; near it are '],
    [['**'], 'freeze: expected a parameter that is left to train, got paths of all'],
    ['1.coupling/**', 'freeze: expected a list of paths, got "1.coupling/**"; pass one: [\'0.coupling/**\']'],
    [[1], 'freeze: expected a list of paths, got a list; '],
  ])('%j is refused', async (freeze, sentence) => {
    expect(() => step(freeze)).toThrow(sentence)
    await expect(
      train(moons, [[0, 1]], { key: key(0), steps: 1, freeze: freeze as readonly string[] }),
    ).rejects.toThrow(sentence)
  })
  it('a dot is a dot', () => {
    expect(() => step(['1xcoupling/**'])).toThrow('near it are 1.coupling/**')
  })
  it('none freezes none', () => {
    expect(() => step([])).not.toThrow()
  })
})
