/** Whatever is measured, drawn or chosen by, is of the averaged parameters, not of the trained ones. */
import { readFileSync, rmSync } from 'node:fs'
import { atShape, flow, realNvpVector, type Shape, standardNormal } from 'diffeo'
import { ready } from 'diffeo/engine'
import { orThrow, restore } from 'diffeo/fp'
import { encodePng } from 'diffeo/image'
import type { BatchOf, Params } from 'diffeo/tensor'
import {
  adam,
  averaged,
  averageParams,
  type Batches,
  disposeState,
  evaluate,
  loadCheckpoint,
  type TrainState,
} from 'diffeo/train'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { samplePicture } from '../../src/cli/evaluation/pictures.js'
import { type Examples, firstBatch, keysOf, loadDataSet } from '../../src/cli/run/examples.js'
import { boxAround } from '../../src/report/plane.js'
import { diffeo, temporary } from './support.js'

const { folder, at } = temporary('averaged')
const optimiser = averaged(adam(), 0.99)
const moons = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] })), standardNormal)
const json = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'))

let state: TrainState
let examples: Examples
let both: readonly Params[]
beforeAll(async () => {
  const model = ['--couplings', '2', '--hidden', '4', '--batch', '16', '--validation', '100']
  const recipe = ['--steps', '20', '--validate-every', '10', '--average-decay', '0.99', '--learning-rate', '0.5']
  const ended = await diffeo(folder, 'train', 'moons', ...model, ...recipe, '--no-report', '--out', 'run')
  expect([ended.code, ended.err]).toEqual([0, ''])
  await ready()
  const saved = await loadCheckpoint(at('run/last.safetensors'))
  state = orThrow(restore(moons.bijector.spec, optimiser)(saved))
  const config = json('run/config.json')
  examples = (await loadDataSet(config.data, config.recipe)).examples(config.recipe)
  both = [averageParams(moons, optimiser, state), state.params]
})
afterAll(() => {
  disposeState(state)
  rmSync(folder, { recursive: true })
})

/** Means in nats of the averaged and of the trained parameters, which differ. */
const means = async (batches: Batches<BatchOf<Shape>>): Promise<readonly number[]> => {
  const figures: number[] = []
  for (const params of both) {
    const { mean } = await evaluate(moons, params, batches as never)
    figures.push(mean * 2 * Math.LN2)
  }
  expect(Math.abs(figures[0]! - figures[1]!)).toBeGreaterThan(1e-2)
  return figures
}

describe('a run takes the averaged parameters', () => {
  it('to validate', async () => {
    const lines = readFileSync(at('run/metrics.jsonl'), 'utf8').trim().split('\n')
    const figures = lines.map((line) => JSON.parse(line)).filter(({ validation }) => validation !== undefined)
    expect(figures.map(({ step }) => step)).toEqual([10, 20])
    expect(figures[1].validation).toBeCloseTo((await means(examples.validation as Batches<BatchOf<Shape>>))[0]!, 4)
  })
  it('to test, at its end and on demand', async () => {
    const [average] = await means(examples.test as Batches<BatchOf<Shape>>)
    expect(json('run/evaluation.json').mean).toBeCloseTo(average!, 4)
    rmSync(at('run/evaluation.json'))
    expect((await diffeo(folder, 'evaluate', 'run')).code).toBe(0)
    expect(json('run/evaluation.json').mean).toBeCloseTo(average!, 4)
  })
  it.each([
    ['at its end', 'samples.png', async () => ({ n: 500 })],
    ['while it trains', 'progress/20.png', async () => ({ n: 300, box: boxAround(await firstBatch(examples)) })],
  ])('to draw from %s', async (_, name, options) => {
    const { sample } = keysOf(json('run/config.json').recipe.seed)
    const what = await options()
    const [average, trained] = await Promise.all(
      both.map(async (params) => encodePng(await samplePicture(moons as never, params, sample, what))),
    )
    const drawn = readFileSync(at(`run/${name}`))
    expect(drawn.equals(average!)).toBe(true)
    expect(drawn.equals(trained!)).toBe(false)
  })
})
