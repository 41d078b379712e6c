/** Runs on tables: from a CSV to a density, scores and synthetic rows. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { key, loadRun } from 'diffeo'
import { ready } from 'diffeo/engine'
import { parquetReadObjects } from 'hyparquet'
import Papa from 'papaparse'
import { beforeAll, describe, expect, it } from 'vitest'
import { coverageOf } from '../../src/cli/evaluation/table-sections.js'
import { normalArray, uniformArray } from '../../src/tensor/random.js'
import { diffeo, temporary } from './support.js'

const { folder, at } = temporary('table')
const json = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'))
const csv = (path: string) =>
  Papa.parse<Record<string, string>>(readFileSync(at(path), 'utf8'), { header: true, skipEmptyLines: true }).data

const regions = ['north', 'south', 'east']
const rows = 600
const [a, b, c] = [normalArray(key(1), rows), uniformArray(key(2), rows), normalArray(key(3), rows)]
const lines = Array.from({ length: rows }, (_, i) => {
  const region = Math.floor(3 * b[i]!)
  return `${i + 1},${regions[region]},${Math.exp(3 + region + 0.5 * a[i]!).toFixed(5)},${Math.floor(9 * b[(i * 7) % rows]!)},${(c[i]! + a[i]!).toFixed(5)}`
})
const header = 'order_id,region,price,units,margin'
const quick = ['--steps', '40', '--hidden', '16', '--layers', '2', '--validate-every', '20']

beforeAll(async () => {
  await ready('onnxruntime')
  writeFileSync(at('sales.csv'), `${header}\n${lines.join('\n')}\n`)
  const { code, err } = await diffeo(folder, 'train', 'sales.csv', ...quick)
  expect(`${code} ${err}`).toMatch(/^0 /)
  const given = await diffeo(folder, 'train', 'sales.csv', '--given', 'region', '--out', 'runs/given', ...quick)
  expect(`${given.code} ${given.err}`).toMatch(/^0 /)
}, 120_000)

describe('a run on a table', () => {
  it('says what it makes of each column, and keeps it', async () => {
    const { out } = await diffeo(folder, 'data', 'check', 'sales.csv')
    expect(out).toContain('486 rows to train, 54 to validate, 60 to test')
    expect(out).toContain('region: categorical of 3 levels\nprice: positive\nunits: integer\nmargin: continuous')
    expect(out).toContain('order_id: left out (numbers its rows)')
    const { table, model, recipe } = json('runs/sales/config.json')
    expect(table.columns.map(({ name }: { name: string }) => name)).toEqual(['region', 'price', 'units', 'margin'])
    expect([model.name, recipe.batch]).toEqual(['nsf', 256])
  })
  it('draws rows that look like those of the table', () => {
    const drawn = csv('runs/sales/samples.csv')
    expect(drawn).toHaveLength(1000)
    for (const { region, price, units } of drawn) {
      expect(regions).toContain(region)
      expect(Number(price)).toBeGreaterThan(0)
      expect(Number.isInteger(Number(units))).toBe(true)
    }
  })
  it('has a report with columns, calibration, extremes and other densities', () => {
    const page = readFileSync(at('runs/sales/report.html'), 'utf8')
    for (const title of ['Columns, in the data', 'Calibration', 'Least and most likely', 'mixture of 10 Gaussians'])
      expect(page).toContain(title)
  })
  it('scores the rows of a file, with percentiles among held-out rows', async () => {
    const { code, out, err } = await diffeo(folder, 'score', 'runs/sales', 'sales.csv', '--false-alarms', '0.05')
    expect(`${code} ${err}`).toMatch(/^0 /)
    expect(out).toMatch(/600 rows, mean log-likelihood -\d/)
    const scores = csv('sales.scores.csv')
    expect(scores).toHaveLength(rows)
    const flagged = scores.filter(({ is_anomaly: flag }) => flag === '1')
    expect(flagged.length).toBeGreaterThan(0)
    expect(flagged.length).toBeLessThan(rows * 0.15)
    const mean = scores.reduce((sum, { log_prob: log }) => sum + Number(log), 0) / rows
    expect(Math.abs(mean + json('runs/sales/evaluation.json').mean)).toBeLessThan(1)
  })
  it('finds a row that is unlike all others', async () => {
    writeFileSync(at('new.csv'), `${header}\n1,north,20,3,0.1\n2,north,9000,3,-8\n`)
    await diffeo(folder, 'score', 'runs/sales', 'new.csv')
    expect(csv('new.scores.csv').map(({ is_anomaly: flag }) => flag)).toEqual(['0', '1'])
  })
  it('resumes by the name of its file', async () => {
    const { code, err } = await diffeo(folder, 'train', 'sales.csv', '--resume', '--steps', '45', '--no-report')
    expect(`${code} ${err}`).toMatch(/^0 /)
    const other = await diffeo(
      folder,
      'train',
      'sales.csv',
      '--resume',
      '--steps',
      '50',
      '--columns',
      'units=continuous',
    )
    expect(other.err).toContain('--columns: expected "none", as in the resumed run')
  })
  it('is refused where its file has changed', async () => {
    writeFileSync(at('changed.csv'), `${header}\n${lines.slice(1).join('\n')}\n`)
    const { err } = await diffeo(folder, 'evaluate', 'runs/sales', '--data', 'changed.csv')
    expect(err).toContain('data: expected the data that the run began with')
  })
  it('is exported', async () => {
    const { code, out } = await diffeo(folder, 'export', 'runs/sales', '--to', 'sales.onnx')
    expect(`${code} ${out}`).toMatch(/^0 .*sales\.sampler\.onnx/s)
  })
  it('is loaded by loadRun', async () => {
    await using model = await loadRun(at('runs/sales'))
    expect((await model.logProb([[0.5, 20, 3.5, 0.1]]))[0]).toBeLessThan(0)
  })
})

describe('a run given columns', () => {
  it('draws rows at a context, as CSV and as Parquet', async () => {
    const { code, err } = await diffeo(
      folder,
      'sample',
      'runs/given',
      '--n',
      '50',
      '--given',
      'region=north',
      '--to',
      'n.csv',
    )
    expect(`${code} ${err}`).toMatch(/^0 /)
    expect(csv('n.csv').map(({ region }) => region)).toEqual(Array(50).fill('north'))
    await diffeo(folder, 'sample', 'runs/given', '--n', '5', '--given', 'region=north', '--to', 'n.parquet')
    const bytes = readFileSync(at('n.parquet'))
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    expect(await parquetReadObjects({ file })).toHaveLength(5)
  })
  it.each([
    [[], '--given: expected a value of region, got nothing; add it: --given region=east'],
    [['--given', 'region=west'], "--given: expected region one of east, north, south, got 'west'"],
    [['--given', 'city=west'], "--given: expected columns among region, got 'city'"],
    [
      ['--given', 'region=north', '--to', 'x.xlsx'],
      "--to: expected a file that ends in .csv or .parquet, got 'x.xlsx'",
    ],
  ])('refuses contexts that it does not have: %j', async (flags, sentence) => {
    const { code, err } = await diffeo(folder, 'sample', 'runs/given', ...flags)
    expect(code).not.toBe(0)
    expect(err).toContain(sentence)
  })
})

describe('the command', () => {
  it.each([
    [['train', 'none.csv'], 'read none.csv: expected a file, got nothing there'],
    [
      ['train', 'sales.csv', '--given', 'nowhere', '--out', 'runs/new'],
      "--given: expected columns among region, price, units, margin, got 'nowhere'",
    ],
    [['train', 'sales.csv', '--columns', 'price'], "--columns: expected name=kind, separated by commas, got 'price'"],
    [['train', 'moons', '--columns', 'price=integer'], '--columns: expected a table, got moons'],
    [['train', 'moons', '--given', 'x'], "--given: expected 'labels', for images, got 'x'"],
    [['score', 'runs/sales', 'none.csv'], 'read none.csv: expected a file, got nothing there'],
    [['sample', 'runs/sales', '--given', 'region=north'], '--given: expected a run that was trained with --given'],
  ])('refuses %j', async (args, sentence) => {
    const { code, err } = await diffeo(folder, ...args)
    expect(code).not.toBe(0)
    expect(err).toContain(sentence)
  })
  it('refuses figures that are damaged, and writes over no device', async () => {
    const evaluation = at('runs/given/evaluation.json')
    const whole = readFileSync(evaluation)
    for (const [text, sentence] of [
      [
        '{',
        'runs/given/evaluation.json: expected test figures in JSON, got other text; write it again: diffeo evaluate',
      ],
      ['{"each":["x"]}', 'runs/given/evaluation.json: expected figures.each'],
    ] as const) {
      writeFileSync(evaluation, text)
      const { code, err } = await diffeo(folder, 'score', 'runs/given', 'sales.csv')
      expect(code).not.toBe(0)
      expect(err).toContain(sentence)
    }
    writeFileSync(evaluation, whole)
    const { err } = await diffeo(folder, 'score', 'runs/given', 'sales.csv', '--to', '/dev/null')
    expect(err).toContain('write /dev/null: expected a file, got a device, pipe or socket')
  })
  it('leaves no half of a file of scores', async () => {
    writeFileSync(at('bad.csv'), `${header}\n1,north,20,3,0.1\n2,west,9000,3,-8\n`)
    const { err } = await diffeo(folder, 'score', 'runs/sales', 'bad.csv')
    expect(err).toContain("bad.csv row 2: expected one of east, north, south in column 'region', got 'west'")
    expect(readdirSync(folder).filter((name) => name.startsWith('bad.'))).toEqual(['bad.csv'])
  })
})

describe('coverage', () => {
  it('is on the diagonal for draws of the density itself, and off it for others', () => {
    const scores = (scale: number, seed: number) => normalArray(key(seed), 4000).map((z) => -((scale * z) ** 2) / 2)
    const worst = (of: ReturnType<typeof coverageOf>) => Math.max(...of.map(([x, y]) => Math.abs(x - y)))
    expect(worst(coverageOf(scores(1, 1), scores(1, 2)))).toBeLessThan(0.04)
    expect(worst(coverageOf(scores(2, 1), scores(1, 2)))).toBeGreaterThan(0.2)
  })
})
