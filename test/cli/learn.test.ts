/** What may fail while a run trains without ending it. */
import { mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { DiffeoException, describeError, engineError } from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, expect, it, vi } from 'vitest'
import { type TrainFlags, train } from '../../src/cli/commands/train.js'
import type { Io } from '../../src/cli/console.js'
import { ioOf, temporary } from './support.js'

vi.mock('../../src/cli/pictures.js', async (original) => {
  const pictures = await original<typeof import('../../src/cli/pictures.js')>()
  const samplePicture: typeof pictures.samplePicture = (flow, params, key, options) =>
    // those from while it trains alone
    options?.box === undefined
      ? pictures.samplePicture(flow, params, key, options)
      : Promise.reject(new DiffeoException(engineError('sample', 'room for a picture', 'none')))
  return { ...pictures, samplePicture }
})

const { folder, at } = temporary('learn')
afterAll(() => rmSync(folder, { recursive: true }))

const tiny = { couplings: 2, hidden: [4], batch: 8, validation: 100, validateEvery: 10, saveEvery: 30 } as const
const flags: TrainFlags = { ...tiny, resume: false, report: false, engine: 'auto' }

it('a picture from while it trains: the run goes on without it', async () => {
  const said: string[] = []
  const ended = await train('moons', { ...flags, steps: 20, out: at('undrawn') }, ioOf(said))()
  expect(E.match(describeError, (outcome: string) => outcome)(ended)).toBe('done')
  expect(said).toContain('sample: expected room for a picture, got none (training goes on, and tries again)')
})
it('the configuration with the steps that minutes were turned into: it is written at the end', async () => {
  const config = at('timed/config.json')
  const said: string[] = []
  const io: Io = {
    ...ioOf(said),
    say: (line) => {
      if (!line.startsWith('compiled')) return
      rmSync(config)
      mkdirSync(config)
    },
    warn: (line) => {
      said.push(line)
      if (line.includes(config)) rmdirSync(config)
    },
  }
  expect(await train('moons', { ...flags, minutes: 0.03, out: at('timed') }, io)()).toEqual(E.right('done'))
  expect(said.join('\n')).toContain('config.json: expected a file, got a folder')
  expect(JSON.parse(readFileSync(config, 'utf8')).recipe.steps).toBeGreaterThan(50)
})
