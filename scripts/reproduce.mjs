/**
 * `npm run reproduce`: trains the runs of `docs/results.md` and writes that page from their folders.
 *
 *     npm run reproduce                      trains every missing row, for as long as its command says
 *     npm run reproduce -- --rows moons,mnist
 *     npm run reproduce -- --rows ablations  only the ablations; ablations/no-l2 is one of them
 *     npm run reproduce -- --rows none       only the page, from finished runs and from the records of earlier ones
 *     npm run reproduce -- --fresh           also retrains finished runs
 *     CIFAR10=/data/cifar-10-batches-bin npm run reproduce -- --rows cifar10    images outside of data/cifar10
 *     npm run reproduce -- --rows ablations --steps 20 --out /tmp/try --page /tmp/try/results.md
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { panels, toSvg } from '../dist/src/report/plot.js'
import { curvesOf, pageOf, recordsOf, runsIn } from './reproduce/page.mjs'
import { copyPictures, picturesSection } from './reproduce/pictures.mjs'
import { ablations, results } from './reproduce/rows.mjs'

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    out: { type: 'string', default: 'runs/reproduce' },
    page: { type: 'string', default: 'docs/results.md' },
    /** Training steps of each ablation. */
    steps: { type: 'string', default: '500' },
  },
})
const ablationRows = ablations(Number(flags.steps))
const rows = [...results, ...ablationRows]
const selected = flags.rows?.split(',')
const cifar = process.env['CIFAR10']
const diffeo = (/** @type {readonly string[]} */ ...words) =>
  spawnSync(process.execPath, ['dist/src/cli/main.js', ...words], { stdio: 'inherit' })

for (const { name, command } of rows) {
  if (selected !== undefined && !selected.includes(name) && !selected.includes(dirname(name))) continue
  const folder = join(flags.out, name)
  if (existsSync(join(folder, 'evaluation.json'))) {
    if (!flags.fresh) continue
    rmSync(folder, { recursive: true })
  }
  console.log(`\ndiffeo ${command}`)
  const resume = existsSync(join(folder, 'last.safetensors')) ? ['--resume'] : []
  const data = cifar !== undefined && command.startsWith('train cifar10 ') ? ['--data', cifar] : []
  diffeo(...command.split(' '), ...data, '--out', folder, ...resume)
  if (name === 'mnist') diffeo('interpolate', folder)
}

const records = flags.page.replace(/\.md$/, '.json')
const kept = existsSync(records) ? JSON.parse(readFileSync(records, 'utf8')) : []
const readRuns = () => {
  try {
    return [results, ablationRows].map((section) => runsIn(flags.out, section, kept))
  } catch (thrown) {
    console.error(thrown.message)
    process.exit(1)
  }
}
const [main, ablated] = readRuns()
const picture = 'pictures/ablations.svg'
const curves = curvesOf(ablated)
// the picture stays as it is if the folder of a run is gone
if (curves.length > 1 && curves.every(({ points }) => points.length > 0)) {
  const path = join(dirname(flags.page), picture)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, await toSvg(panels({ title: 'validation, one change at a time', y: 'bits/dim', curves })))
  console.log(path)
}
const pictures = join(dirname(flags.page), 'pictures')
await copyPictures(flags.out, pictures)
const lines = recordsOf([...main, ...ablated]).map((record) => JSON.stringify(record))
writeFileSync(records, `[\n${lines.join(',\n')}\n]\n`)
writeFileSync(flags.page, pageOf(main, ablated, picture, picturesSection(pictures, main)))
console.log(`${flags.page}\n${records}`)
