/**
 * `npm run reproduce`: trains the runs that `docs/results.md` tells of and writes that page from their own folders.
 *
 *     npm run reproduce                      every row that is not there yet, in the time that its command says
 *     npm run reproduce -- --rows moons,mnist
 *     npm run reproduce -- --rows ablations  the ablations alone; ablations/no-l2 is one of them
 *     npm run reproduce -- --rows none       only the page, from the runs that are there and the records of others
 *     npm run reproduce -- --fresh           trains again what is there
 *     CIFAR10=/data/cifar-10-batches-bin npm run reproduce -- --rows cifar10    images that are not in data/cifar10
 *     npm run reproduce -- --rows ablations --steps 20 --out /tmp/try --page /tmp/try/results.md
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { panels, toSvg } from '../dist/src/report/plot.js'
import { curvesOf, pageOf, recordsOf, runsIn } from './reproduce/page.mjs'
import { bringPictures, picturesSection } from './reproduce/pictures.mjs'
import { ablations, results } from './reproduce/rows.mjs'

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    out: { type: 'string', default: 'runs/reproduce' },
    page: { type: 'string', default: 'docs/results.md' },
    /** Of each ablation. */
    steps: { type: 'string', default: '500' },
  },
})
const tried = ablations(Number(flags.steps))
const rows = [...results, ...tried]
const asked = flags.rows?.split(',')
const cifar = process.env['CIFAR10']
const diffeo = (/** @type {readonly string[]} */ ...words) =>
  spawnSync(process.execPath, ['dist/src/cli/main.js', ...words], { stdio: 'inherit' })

for (const { name, command } of rows) {
  if (asked !== undefined && !asked.includes(name) && !asked.includes(dirname(name))) continue
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
const both = () => {
  try {
    return [results, tried].map((some) => runsIn(flags.out, some, kept))
  } catch (thrown) {
    console.error(thrown.message)
    process.exit(1)
  }
}
const [main, others] = both()
const picture = 'pictures/ablations.svg'
const curves = curvesOf(others)
// of runs whose folders are gone, the picture is as it was
if (curves.length > 1 && curves.every(({ points }) => points.length > 0)) {
  const path = join(dirname(flags.page), picture)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, await toSvg(panels({ title: 'validation, one change at a time', y: 'bits/dim', curves })))
  console.log(path)
}
const pictures = join(dirname(flags.page), 'pictures')
await bringPictures(flags.out, pictures)
const lines = recordsOf([...main, ...others]).map((record) => JSON.stringify(record))
writeFileSync(records, `[\n${lines.join(',\n')}\n]\n`)
writeFileSync(flags.page, pageOf(main, others, picture, picturesSection(pictures, main)))
console.log(`${flags.page}\n${records}`)
