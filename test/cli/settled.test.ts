/** What may not change when a run goes on, for runs on images and on points alike. */
import { describeError } from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { defaultRecipe, modelConfig, type Recipe, type RunConfig } from '../../src/cli/run/config.js'
import { goOn } from '../../src/cli/run/config-flags.js'

const model = (shape: readonly number[]) => {
  const made = modelConfig(undefined, shape, {})
  if (E.isLeft(made)) throw new Error(describeError(made.left))
  return made.right
}
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
    const went = goOn(saved, { ...saved, recipe: { ...saved.recipe, ...recipe } })
    expect(E.match(describeError, () => 'went on')(went)).toContain(`${flag}: expected `)
  })
  it('keeps its data, their size, their shape and its model', () => {
    const of = (changed: Partial<RunConfig>) =>
      E.match(describeError, () => 'went on')(goOn(saved, { ...saved, ...changed }))
    expect(of({ data: { name: 'other' } })).toContain('data: expected ')
    expect(of({ data: { ...saved.data, size: 8 } })).toContain('--size: expected ')
    expect(of({ shape: [3] })).toContain('the shape of the data: expected ')
    expect(of({ model: { name: 'file', path: 'a.js' } })).toContain('--model: expected ')
    expect(of({ data: { ...saved.data, folder: 'moved' } })).toBe('went on')
  })
  it('may have another rate, and keeps the end of its schedule', () => {
    const went = goOn(saved, { ...saved, recipe: { ...saved.recipe, learningRate: 0.5, steps: 7 } })
    expect(went).toMatchObject({ right: { recipe: { learningRate: 0.5, steps: 100 } } })
  })
  it('has every entry of its recipe either settled or free', () => {
    const free = ['learningRate', 'warmUp', 'steps']
    const known = [...changes.flatMap(([, change]) => Object.keys(change)), ...free]
    expect(Object.keys(saved.recipe).filter((name) => !known.includes(name))).toEqual([])
  })
})
