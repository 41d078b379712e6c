/**
 * Reading a CSV: `readTable` of diffeo, and `read_csv` of pandas and Polars where they are installed, in turns on the same
 * file. All of them find the types of the columns.
 *
 *     npm run build && node bench/csv.mjs [--rows 1000000] [--turns 5]
 *
 * Needs `bench/peers/.venv` with `pip install pandas polars` for the peers.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, turns: { type: 'string', default: '5' } },
})
const folder = mkdtempSync(join(tmpdir(), 'diffeo-csv-'))
const path = join(folder, 'table.csv')
const lines = ['id,price,region,count,day']
for (let i = 0; i < Number(values.rows); i++)
  lines.push(
    `${i},${(100 + 20 * Math.sin(i * 12.9898)).toFixed(6)},${['north', 'south', 'east'][i % 3]},${(i * 7) % 50},2024-0${1 + (i % 8)}-1${i % 9}`,
  )
writeFileSync(path, `${lines.join('\n')}\n`)
const megabytes = statSync(path).size / 1e6

/** Each in a process of its own: seconds of the second of two reads, so that nothing is compiled. */
const diffeo = `
  import { readTable } from '${new URL('../dist/src/entry/data.js', import.meta.url)}'
  for (let i = 0; i < 2; i++) {
    const began = performance.now()
    await readTable(${JSON.stringify(path)})
    if (i === 1) console.log((performance.now() - began) / 1000)
  }`
const python = (/** @type {string} */ read) => `
import time
${read.split(';')[0]}
for i in range(2):
    began = time.perf_counter()
    ${read.split(';')[1]}
    if i == 1: print(time.perf_counter() - began)`
const venv = fileURLToPath(new URL('peers/.venv/bin/python', import.meta.url))
const readers = [
  { name: 'diffeo', run: [process.execPath, '--input-type=module', '-e', diffeo] },
  { name: 'pandas', run: [venv, '-c', python(`import pandas;pandas.read_csv('${path}', parse_dates=['day'])`)] },
  { name: 'polars', run: [venv, '-c', python(`import polars;polars.read_csv('${path}', try_parse_dates=True)`)] },
]
/** @type {Record<string, number[]>} */
const seconds = Object.fromEntries(readers.map(({ name }) => [name, []]))
for (let turn = 0; turn < Number(values.turns); turn++)
  for (const {
    name,
    run: [command = '', ...args],
  } of readers) {
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
    if (status === 0) seconds[name]?.push(Number(stdout))
  }
const median = (/** @type {number[]} */ all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
for (const [name, all] of Object.entries(seconds).filter(([, some]) => some.length > 0))
  console.log(
    `${name.padEnd(8)} ${(megabytes / median(all)).toFixed(0)} MB/s, ${(median(all) / median(seconds['diffeo'] ?? [])).toFixed(2)} of diffeo's time`,
  )
rmSync(folder, { recursive: true })
