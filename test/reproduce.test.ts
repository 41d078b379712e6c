/** The page that `npm run reproduce` writes, from records that are made up. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { temporary } from './cli/support.js'

// a script, without types
const script = '../scripts/reproduce/page.mjs'
const { pageOf, recordsOf, runsIn } = await import(script)
const { picturesSection } = await import(script.replace('page', 'pictures'))

const { folder, at } = temporary('reproduce')
afterAll(() => rmSync(folder, { recursive: true }))

const evaluation = {
  step: 100,
  unit: 'bits/dim',
  count: 50,
  mean: 1.5,
  worst: 3,
  worstIndex: 7,
  batchStatistics: { batch: 200, count: 400, training: 1.61, evaluation: 1.6, gap: 0.01 },
}
const record = (name: string, more = {}) => ({
  name,
  command: `diffeo train mnist --seed 0`,
  engine: 'engine onnxruntime 1.30.0, 2 threads, CPU, blocks of 16',
  versions: 'diffeo 0.1.0, Node 20.20.2, linux x64',
  began: '2026-01-02',
  steps: 100,
  asked: 100,
  minutes: 1.25,
  evaluation,
  equal: undefined,
  validation: [[50, 1.7]],
  ...more,
})
const row = (name: string, title: string, more = {}) => ({ name, title, goal: '2', command: 'train mnist', ...more })
const results = [
  row('good', 'a good run'),
  row('apart', 'a run apart', { remark: 'it is meant to be.' }),
  row('plane', 'a plane'),
]
const kept = [
  record('good', { engine: 'engine tensorflow 2.21.0, bf16' }),
  record('apart', {
    evaluation: {
      ...evaluation,
      worst: 4.6,
      batchStatistics: { ...evaluation.batchStatistics, gap: -0.021 },
      train: { count: 10, mean: 0.5, worst: 1 },
    },
  }),
  record('plane', { evaluation: { ...evaluation, unit: 'nats', floor: 1.49, worst: 9 } }),
]
const tried = [row('ablations/baseline', 'baseline'), row('ablations/other', 'other'), row('ablations/none', 'nothing')]
const ablations = [
  record('ablations/baseline'),
  record('ablations/other', { evaluation: { ...evaluation, mean: 1.4 } }),
  record('ablations/none', { evaluation: undefined, steps: 31 }),
]
/** The cells of the line that begins with a title. */
const cells = (page: string, title: string) =>
  page
    .split('\n')
    .find((line) => line.startsWith(`| ${title} |`))
    ?.slice(2, -2)
    .split(' | ')

describe('the page of results', () => {
  const runs = runsIn(at('nowhere'), results, kept)
  const page = pageOf(runs, runsIn(at('nowhere'), tried, ablations), 'picture.svg', 'two planes\n\n')
  it('has a line for each run, with its engine', () => {
    const command = '`npx diffeo train mnist --seed 0`'
    expect(cells(page, 'a good run')).toEqual(
      ['a good run', '1.500 bits/dim of 50', '2', '3.00 (2.00 × mean)', '+0.0100 (200)'].concat(
        '100 of 100 in 1.3 min',
        'tensorflow 2.21.0',
        command,
      ),
    )
    expect(cells(page, 'a run apart')?.slice(1, 5)).toEqual([
      '0.500 bits/dim of these 10, 1.500 of 50 test images: 1.000 below',
      '2',
      '4.60 (3.07 × mean)',
      '−0.0210 (200)',
    ])
    expect(cells(page, 'a plane')?.slice(1, 4)).toEqual(['1.500 nats of 50 (floor 1.490, +0.010)', '2', '9.00'])
    expect(cells(page, 'a plane')?.[6]).toBe('onnxruntime 1.30.0')
    expect(page.trimEnd().split('\n').slice(-2)).toEqual([
      'engine tensorflow 2.21.0, bf16; diffeo 0.1.0, Node 20.20.2, linux x64; 2026-01-02',
      'engine onnxruntime 1.30.0, 2 threads, CPU, blocks of 16; diffeo 0.1.0, Node 20.20.2, linux x64; 2026-01-02',
    ])
  })
  it('names the runs outside of what is asked of all, and says what was meant', () => {
    expect(page).toContain(
      'Runs of images with a gap above 0.02 bits/dim: a run apart. Runs with an image above 3 times the mean: a run apart.',
    )
    expect(page).toContain('\na run apart: it is meant to be.\n')
    expect(page).toContain('it is meant to be.\n\ntwo planes\n\n## Ablations')
  })
  it('has the ablations beside their baseline', () => {
    expect(cells(page, 'baseline')?.slice(1, 3)).toEqual(['1.500', ''])
    expect(cells(page, 'other')?.slice(1, 3)).toEqual(['1.400', '−0.100'])
    expect(cells(page, 'nothing')?.slice(0, 2)).toEqual(['nothing', 'none: it ended at step 31'])
    for (const title of ['baseline', 'other', 'nothing']) expect(cells(page, title)).toHaveLength(8)
  })
  it('is the same from the records that are kept of it', () => {
    const records = JSON.parse(JSON.stringify(recordsOf(runs)))
    expect(records[0]).not.toHaveProperty('title')
    expect(runsIn(at('nowhere'), results, records)).toEqual(JSON.parse(JSON.stringify(runs)))
  })
  it('is made of a folder before a record, without where it was', () => {
    const run = at('own/good')
    mkdirSync(run, { recursive: true })
    const write = (name: string, value: unknown) => writeFileSync(join(run, name), JSON.stringify(value))
    const about = { engine: 'engine wasm', versions: 'diffeo', began: '2026-03-04T05:06:07Z' }
    write('about.json', [{ ...about, command: "diffeo train mnist --data 'a b' --seed 3 --out 'my runs/good'" }])
    write('config.json', { recipe: { steps: 7 } })
    write('evaluation.json', { ...evaluation, each: [1, 2] })
    const line = { step: 5, time: 60, images: 20, unit: 'bits/dim' }
    writeFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify({ ...line, validation: 1.5, worst: 2, best: true })}\n`)
    expect(runsIn(at('own'), results.slice(0, 1), kept)[0]).toMatchObject({
      command: 'diffeo train mnist --seed 3',
      engine: 'engine wasm',
      began: '2026-03-04',
      steps: 5,
      asked: 7,
      minutes: 1,
      evaluation,
      validation: [[5, 1.5]],
    })
  })
  it('says where pictures are of another run than the row', () => {
    const folder = at('pictures')
    mkdirSync(folder)
    writeFileSync(join(folder, 'mnist-curves.png'), '')
    const section = (step: number, command = 'diffeo train mnist --seed 0') => {
      writeFileSync(join(folder, 'runs.json'), JSON.stringify({ mnist: { command, step } }))
      return picturesSection(folder, runsIn(at('nowhere'), [row('mnist', 'MNIST')], [record('mnist')])) as string
    }
    expect(section(100)).toContain('`npx diffeo train mnist --seed 0`, step 100.\n\n!')
    const other = ' This is a different run from the row above, which has 100 steps.\n\n!'
    expect(section(40)).toContain(`step 40.${other}`)
    expect(section(100, 'diffeo train mnist --seed 1')).toContain(`step 100.${other}`)
    expect(picturesSection(folder, [])).not.toContain('different run')
  })
  it('is refused of a record whose gap is of unknown size', () => {
    const { count: _, ...before } = evaluation.batchStatistics
    const old = [record('good', { evaluation: { ...evaluation, batchStatistics: before } })]
    expect(() => runsIn(at('nowhere'), results, old)).toThrow(
      /^good: expected a record with batchStatistics\.count, got .*; run the row again: npm run reproduce -- --rows good --fresh$/,
    )
  })
})
