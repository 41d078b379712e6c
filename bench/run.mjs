// @ts-check
/**
 * `npm run bench`: times diffeo's engines, PyTorch and JAX on the same work, in turns. Prints minimum, median and ratio,
 * and writes them to `results/` with a description of the machine, together with other rows of the same day. README.md
 * has the protocol.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ready } from '../dist/src/entry/engine.js'
import { flagsFrom } from './flags.mjs'
import { growth } from './growth.mjs'
import { describeRow, rowNamed, rows, writeRow } from './rows.mjs'
import { median, peersOf, readResults, startSides, turn, writeResults } from './sides.mjs'

const { values: flags } = flagsFrom({
  options: {
    rows: { type: 'string', default: rows.map(({ name }) => name).join(',') },
    engines: { type: 'string' },
    peers: { type: 'string' },
    repeat: { type: 'string' },
    growth: { type: 'boolean', default: false },
    axes: { type: 'string', default: 'batch,image,depth' },
    picture: { type: 'string', default: 'docs/pictures/growth.svg' },
  },
})
// `ordinary` and bf16 grow like their engines, so growth leaves them out by default
const engines = (flags.engines ?? (flags.growth ? 'onnxruntime' : 'onnxruntime,ordinary,tensorflow,tensorflow-bf16'))
  .split(',')
  .filter(Boolean)
const peers = peersOf(flags.peers ?? (flags.growth ? 'default,channels_last,jax' : ''))
/** The peers of a row among those that are asked for; default: all. @type {(row: import('./rows.mjs').Row) => readonly string[]} */
const peersOfRow = (row) => {
  const all = row.peers ?? ['default', 'channels_last', 'bf16', 'jax']
  const others = row.peers ?? [...all, 'compile']
  return peersOf((flags.peers?.split(',').filter((name) => others.includes(name)) ?? all).join())
}
/** PyTorch in float32, by itself or under a library. */
const references = ['default', 'channels_last', 'torch', 'zuko', 'nflows', 'normflows']
const repeat = flags.repeat === undefined ? undefined : Number(flags.repeat)

await ready('wasm')
if (flags.growth) {
  await growth({ engines, peers, repeat: repeat ?? 5, axes: flags.axes.split(','), picture: flags.picture })
  process.exit()
}
const selected = flags.rows.split(',').map((name) => rowNamed('--rows', name))
const earlier = readResults('').filter(({ row }) => !selected.some(({ name }) => name === row))
const folder = mkdtempSync(join(tmpdir(), 'diffeo-bench-'))
const results = []
try {
  for (const row of selected) {
    const { name } = row
    const file = join(folder, `${name}.safetensors`)
    const parameters = await writeRow(row, file)
    console.log(`\n${describeRow(row)}, ${parameters.toLocaleString('en')} parameters`)
    const sides = await startSides(engines, peersOfRow(row), row, file)
    for (const { side, parameters: count } of sides)
      if (count !== undefined) console.log(`  ${side}: ${count.toLocaleString('en')} parameters`)
    for (const work of row.works ?? ['step', 'density', 'sample']) {
      /** @type {Map<string, { first: number, times: number[], value: any }>} */
      const found = new Map()
      // the first call compiles, the second still allocates memory
      for (const { side, child } of sides) {
        const { ms, error, ...value } = await child.request({ cmd: 'run', work, repeat: 1 })
        if (error !== undefined) console.log(`  ${side}: ${error}`)
        else found.set(side, { first: ms[0], times: [], value })
        await child.request({ cmd: 'run', work, repeat: 1 })
      }
      for (let i = 0; i < (repeat ?? row.turns ?? 10); i++)
        for (const { side, child } of sides) {
          const { ms = [] } = await turn(child, { cmd: 'run', work, repeat: row.burst })
          // only the last call of a turn counts: its caches are warm
          found.get(side)?.times.push(ms.at(-1))
        }
      const best = Math.min(
        ...references.flatMap((side) => (found.has(side) ? [median(found.get(side)?.times ?? [])] : [])),
      )
      console.log(`  ${work}`)
      for (const { side, child, title, parameters: count = parameters } of sides) {
        const { first, times, value } = found.get(side) ?? { first: Number.NaN, times: [], value: {} }
        const { peak } = await child.request({ cmd: 'memory' })
        const [least, middle] = [Math.min(...times), median(times)]
        const ratio = Number.isFinite(best) ? middle / best : undefined
        const shown = Object.entries(value).map(([k, v]) => `${k} ${Number(v).toPrecision(6)}`)
        console.log(
          `    ${side.padEnd(14)} min ${least.toFixed(1).padStart(7)}  median ${middle.toFixed(1).padStart(7)} ms  ratio ` +
            `${(ratio?.toFixed(2) ?? '–').padStart(5)}  first ${first.toFixed(0).padStart(5)} ms  peak ${peak.toFixed(0).padStart(5)} MB  ${shown.join(', ')}`,
        )
        results.push({
          row: name,
          work,
          side,
          called: title,
          parameters: count,
          min: least,
          median: middle,
          ratio,
          first,
          peak,
          value,
          times,
        })
      }
    }
    for (const { child } of sides) child.end()
    // write after each row, so that an interrupted run keeps the finished ones
    writeResults('', { results: [...earlier, ...results] })
  }
} finally {
  rmSync(folder, { recursive: true })
}
process.exit()
