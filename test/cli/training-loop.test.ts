/** What may fail while a run trains without ending it. */
import { mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { DiffeoException } from 'diffeo'
import { afterAll, expect, it, vi } from 'vitest'
import { type TrainFlags, train } from '../../src/cli/commands/train.js'
import type { Io } from '../../src/cli/terminal/console.js'
import { engineError } from '../../src/error.js'
import { ioOf, temporary } from './support.js'

vi.mock('../../src/cli/evaluation/pictures.js', async (original) => {
  const pictures = await original<typeof import('../../src/cli/evaluation/pictures.js')>()
  const samplePicture: typeof pictures.samplePicture = (flow, params, key, options) =>
    // those from while it trains alone
    options?.box === undefined
      ? pictures.samplePicture(flow, params, key, options)
      : Promise.reject(new DiffeoException(engineError('sample', 'room for a picture', 'none')))
  return { ...pictures, samplePicture }
})

/** The checkpoints that are written, in order. */
const saved: { readonly file: string; readonly step: number; readonly best: number | undefined }[] = []
vi.mock('../../src/train/checkpoint.js', async (original) => {
  const checkpoint = await original<typeof import('../../src/train/checkpoint.js')>()
  const saveCheckpoint: typeof checkpoint.saveCheckpoint = (path) => (contents) => {
    saved.push({ file: basename(path), step: contents.state.step, best: contents.best?.bitsPerDim })
    return checkpoint.saveCheckpoint(path)(contents)
  }
  return { ...checkpoint, saveCheckpoint }
})

vi.mock('../../src/report/plane.js', async (original) => (await import('./flat-density.js')).flatDensity(original))

const { folder, at } = temporary('learn')
afterAll(() => rmSync(folder, { recursive: true }))

const tiny = { couplings: 2, hidden: [4], batch: 8, validation: 100, validateEvery: 10, saveEvery: 30 } as const
const flags: TrainFlags = { ...tiny, resume: false, report: false, engine: 'auto' }

it('a picture from while it trains: the run goes on without it', async () => {
  const said: string[] = []
  expect(await train('moons', { ...flags, steps: 20, out: at('undrawn') }, ioOf(said))).toBe('done')
  expect(said).toContain('sample: expected room for a picture, got none (training continues and retries)')
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
  expect(await train('moons', { ...flags, minutes: 0.03, out: at('timed') }, io)).toBe('done')
  expect(said.join('\n')).toContain('config.json: expected a file, got a folder')
  expect(JSON.parse(readFileSync(config, 'utf8')).recipe.steps).toBeGreaterThan(50)
})
it('a save that is due where a validation is: it waits for that, so that who goes on from it lacks none', async () => {
  saved.length = 0
  // less than a step takes: each is saved
  const always = { ...flags, saveEvery: 1e-9, validateEvery: 3, steps: 7, out: at('saves') }
  expect(await train('moons', always, ioOf([]))).toBe('done')
  const last = saved.filter(({ file }) => file === 'last.safetensors')
  // before the first step, after each, and at the end
  expect(last.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7])
  const known = last.map(({ best }) => best)
  expect(known.slice(0, 3)).toEqual([undefined, undefined, undefined])
  expect(known.slice(3).every(Number.isFinite)).toBe(true)
  const best = saved.filter(({ file }) => file === 'best.safetensors')
  expect(best.map(({ step }) => step)).toEqual([3, 6].filter((step) => best.some((own) => own.step === step)))
  expect(best[0]).toMatchObject({ step: 3, best: known[3] })
})
