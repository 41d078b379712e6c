/** What may not change when a run resumes, for runs on images and on points alike. */
import { describe, expect, it } from 'vitest'
import { defaultRecipe, modelConfig, type Recipe, type RunConfig } from '../../src/cli/run/config.js'
import { resumeConfig } from '../../src/cli/run/config-flags.js'

const model = (shape: readonly number[]) => modelConfig(undefined, shape, {})
const images: RunConfig = {
  data: { name: 'mnist' },
  contents: { train: 100, validation: 10, test: 10, digest: 'abc' },
  shape: [28, 28, 1],
  model: model([28, 28, 1]),
  recipe: { ...defaultRecipe([28, 28, 1]), steps: 100 },
}
const points: RunConfig = {
  data: { name: 'moons' },
  shape: [2],
  model: model([2]),
  recipe: { ...defaultRecipe([2]), steps: 100 },
}

const changes: ReadonlyArray<readonly [flag: string, Partial<Recipe>]> = [
  ['--seed', { seed: 1 }],
  ['--batch', { batch: 7 }],
  ['--validation', { validation: 7 }],
  ['--validation', { validation: 0 }],
  ['--validate-every', { validateEvery: 7 }],
  ['--schedule', { schedule: 'constant' }],
  ['--average-decay', { averageDecay: 0.5 }],
  ['--clip', { clip: 7 }],
  ['--l2', { l2: 7 }],
  ['--limit', { limit: 7 }],
]

describe.each([
  ['images', images],
  ['points', points],
] as const)('a run on %s that goes on', (_, saved) => {
  it.each(changes)('keeps its %s: %o', (flag, recipe) => {
    expect(() => resumeConfig(saved, { ...saved, recipe: { ...saved.recipe, ...recipe } })).toThrow(
      `${flag}: expected `,
    )
  })
  it('keeps its data, their size, their shape and its model', () => {
    const resume = (changed: Partial<RunConfig>) => () => resumeConfig(saved, { ...saved, ...changed })
    expect(resume({ data: { name: 'other' } })).toThrow('data: expected ')
    expect(resume({ data: { ...saved.data, size: 8 } })).toThrow('--size: expected ')
    expect(resume({ shape: [3] })).toThrow('the shape of the data: expected ')
    expect(resume({ model: { name: 'file', path: 'a.js' } })).toThrow('--model: expected ')
    expect(resume({ data: { ...saved.data, folder: 'moved' } })()).toMatchObject({ recipe: saved.recipe })
  })
  it('may have another rate, and keeps the end of its schedule', () => {
    const resumed = resumeConfig(saved, { ...saved, recipe: { ...saved.recipe, learningRate: 0.5, steps: 7 } })
    expect(resumed).toMatchObject({ recipe: { learningRate: 0.5, steps: 100 } })
  })
  it('has every entry of its recipe either settled or free', () => {
    const free = ['learningRate', 'warmUp', 'steps']
    const known = [...changes.flatMap(([, change]) => Object.keys(change)), ...free]
    expect(Object.keys(saved.recipe).filter((name) => !known.includes(name))).toEqual([])
  })
})
