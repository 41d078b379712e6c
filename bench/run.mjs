// @ts-check
/**
 * `npm run bench`: diffeo's engines, PyTorch and JAX on the same work in one run. They take turns, one at a time; minimum,
 * median and ratio are printed, and written to `results/` with the machine described. README.md has the protocol.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ready } from '../dist/src/index.js'
import { describeRow, rows, writeRow } from './rows.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: rows.map(({ name }) => name).join(',') },
    engines: { type: 'string', default: 'onnxruntime,ordinary' },
    peers: { type: 'string', default: 'default,channels_last,bf16,jax' },
    repeat: { type: 'string', default: '10' },
  },
})
const threads = availableParallelism()
const python = join(here, 'peers', '.venv', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
const hasPeers = existsSync(python)
if (!hasPeers) console.log('PyTorch and JAX are not there; `bash bench/peers/setup.sh` brings them')

/** A child that answers a line of JSON for each that it gets. @param {string} command @param {string[]} args */
const child = (command, args, env = {}) => {
  const own = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  /** @type {((answer: any) => void)[]} */
  const waiting = []
  /** @type {any[]} */
  const early = []
  const hear = (/** @type {any} */ answer) => (waiting.length > 0 ? waiting.shift()?.(answer) : early.push(answer))
  createInterface({ input: own.stdout }).on('line', (line) => hear(JSON.parse(line)))
  own.on('exit', () => hear({ error: 'it ended' }))
  const next = () => new Promise((resolve) => (early.length > 0 ? resolve(early.shift()) : waiting.push(resolve)))
  return {
    next,
    ask: (/** @type {object} */ message) => {
      own.stdin.write(`${JSON.stringify(message)}\n`)
      return next()
    },
    end: () => own.stdin.end(),
  }
}

/** @param {string} name */
const start = (name) =>
  name === 'ordinary'
    ? child(process.execPath, [join(here, 'engine.mjs'), 'onnxruntime'], { DIFFEO_BLOCK: '0' })
    : child(process.execPath, [join(here, 'engine.mjs'), name])
/** @param {string} name */
const startPeer = (name) =>
  name === 'jax'
    ? child(python, [join(here, 'peers', 'jax_peer.py'), 'default', `${threads}`])
    : child(python, [join(here, 'peers', 'torch_peer.py'), name, `${threads}`])

/** @param {number[]} list */
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

await ready('wasm')
const folder = mkdtempSync(join(tmpdir(), 'diffeo-bench-'))
const repeat = Number(flags.repeat)
const results = []
try {
  for (const name of flags.rows.split(',')) {
    const row = rows.find((r) => r.name === name)
    if (row === undefined) throw new Error(`rows: expected some of ${rows.map((r) => r.name)}, got '${name}'`)
    const file = join(folder, `${name}.safetensors`)
    const parameters = await writeRow(row, file)
    console.log(`\n${describeRow(row)}, ${parameters.toLocaleString('en')} parameters`)
    const sides = []
    for (const side of [...flags.engines.split(','), ...(hasPeers ? flags.peers.split(',') : [])].filter(Boolean)) {
      const own = (flags.engines.split(',').includes(side) ? start : startPeer)(side)
      const { ready: called, error } = await own.next()
      const loaded = error === undefined ? await own.ask({ cmd: 'load', row, file }) : { error }
      if (loaded.error === undefined) sides.push({ side, own, called })
      else console.log(`  ${side}: ${loaded.error}`)
    }
    for (const work of ['step', 'density', 'sample']) {
      /** @type {Map<string, { first: number, times: number[], value: any }>} */
      const found = new Map()
      // the first call compiles, the second still takes memory
      for (const { side, own } of sides) {
        const { ms, error, ...value } = await own.ask({ cmd: 'run', work, repeat: 1 })
        if (error !== undefined) console.log(`  ${side}: ${error}`)
        else found.set(side, { first: ms[0], times: [], value })
        await own.ask({ cmd: 'run', work, repeat: 1 })
      }
      for (let i = 0; i < repeat; i++)
        for (const { side, own } of sides) {
          const { ms = [] } = await own.ask({ cmd: 'run', work, repeat: row.burst })
          // the last of a turn: the caches are its own by then
          found.get(side)?.times.push(ms.at(-1))
        }
      const best = Math.min(
        ...['default', 'channels_last'].flatMap((side) =>
          found.has(side) ? [median(found.get(side)?.times ?? [])] : [],
        ),
      )
      console.log(`  ${work}`)
      for (const { side, own, called } of sides) {
        const { first, times, value } = found.get(side) ?? { first: Number.NaN, times: [], value: {} }
        const { peak } = await own.ask({ cmd: 'memory' })
        const [least, middle] = [Math.min(...times), median(times)]
        const ratio = Number.isFinite(best) ? middle / best : undefined
        const shown = Object.entries(value).map(([k, v]) => `${k} ${Number(v).toPrecision(6)}`)
        console.log(
          `    ${side.padEnd(14)} min ${least.toFixed(1).padStart(7)}  median ${middle.toFixed(1).padStart(7)} ms  ratio ` +
            `${(ratio?.toFixed(2) ?? '–').padStart(5)}  first ${first.toFixed(0).padStart(5)} ms  peak ${peak.toFixed(0).padStart(5)} MB  ${shown.join(', ')}`,
        )
        results.push({ row: name, work, side, called, min: least, median: middle, ratio, first, peak, value, times })
      }
    }
    for (const { own } of sides) own.end()
  }
} finally {
  rmSync(folder, { recursive: true })
}
mkdirSync(join(here, 'results'), { recursive: true })
const date = new Date().toISOString().slice(0, 10)
const machine = {
  cpu: cpus()[0]?.model,
  cores: threads,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
}
writeFileSync(join(here, 'results', `${date}.json`), `${JSON.stringify({ machine, repeat, results }, undefined, 1)}\n`)
console.log(`\nbench/results/${date}.json`)
process.exit()
