// @ts-check
/** The sides of a benchmark as child processes (README.md has the protocol), and the files of results. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

/** @typedef {import('./rows.mjs').Row} Row */

const here = dirname(fileURLToPath(import.meta.url))
const threads = availableParallelism()
const python = join(here, 'peers', '.venv', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')

/**
 * Names of engines with options: engine, options and environment.
 * @type {Readonly<Record<string, readonly [string, object?, object?]>>}
 */
const engines = {
  ordinary: ['onnxruntime', {}, { DIFFEO_BLOCK: '0' }],
  'tensorflow-bf16': ['tensorflow', { precision: 'bf16' }],
  'tensorflow-xla': ['tensorflow', { xla: true }],
}

/** The named peers, or none if they are not installed. @param {string} names @returns {readonly string[]} */
export const peersOf = (names) => {
  if (existsSync(python)) return names.split(',').filter(Boolean)
  console.log('PyTorch and JAX are not installed; run `bash bench/peers/setup.sh`')
  return []
}

/** A child process that writes a line of JSON for each line it reads. @param {string} command @param {string[]} args */
const startChild = (command, args, env = {}) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  /** @type {((response: any) => void)[]} */
  const waiting = []
  /** @type {any[]} */
  const early = []
  const receive = (/** @type {any} */ response) =>
    waiting.length > 0 ? waiting.shift()?.(response) : early.push(response)
  createInterface({ input: child.stdout }).on('line', (line) => receive(JSON.parse(line)))
  child.on('exit', () => receive({ error: 'the process ended' }))
  // `exit` reports a child that ended
  child.stdin.on('error', () => undefined)
  const next = () => new Promise((resolve) => (early.length > 0 ? resolve(early.shift()) : waiting.push(resolve)))
  return {
    next,
    request: (/** @type {object} */ message, /** @type {Uint8Array} */ bytes = new Uint8Array()) => {
      child.stdin.write(`${JSON.stringify(message)}\n`)
      child.stdin.write(bytes)
      return next()
    },
    end: () => child.stdin.end(),
  }
}

/** @param {string} name */
const startEngine = (name) => {
  const [engine, options, env] = engines[name] ?? [name]
  return startChild(process.execPath, [join(here, 'engine.mjs'), engine, JSON.stringify(options ?? {})], env)
}
/** @param {string} name @param {Row} row */
const startPeer = (name, row) => {
  const run = (/** @type {string} */ file, /** @type {string} */ variant) =>
    startChild(python, [join(here, 'peers', file), variant, `${threads}`])
  if (row.peers !== undefined)
    return run(['flowjax', 'jax'].includes(name) ? 'jax_library.py' : 'torch_library.py', name)
  return name === 'jax' ? run('jax_peer.py', 'default') : run('torch_peer.py', name)
}

/**
 * Starts each side and loads a row's file. It reports sides that fail, and leaves them out.
 * @param {readonly string[]} engines @param {readonly string[]} peers @param {Row} row @param {string} file
 */
export const startSides = async (engines, peers, row, file) => {
  const sides = []
  for (const side of [...engines, ...peers]) {
    const child = engines.includes(side) ? startEngine(side) : startPeer(side, row)
    const { ready: title, error } = await child.next()
    const loaded = error === undefined ? await child.request({ cmd: 'load', row, file }) : { error }
    if (loaded.error === undefined) sides.push({ side, child, title, parameters: loaded.parameters })
    else console.log(`  ${side}: ${loaded.error}`)
  }
  return sides
}

/**
 * One turn of a side. It waits first, because the threads of the previous side spin for a while before they sleep.
 *
 * @template A @param {{ request: (message: object) => Promise<A> }} child @param {object} message @returns {Promise<A>}
 */
export const turn = async (child, message) => {
  await setTimeout(100)
  return child.request(message)
}

/** @param {number[]} list */
export const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

/** The path of today's results. @param {string} name */
const pathOf = (name) => join('bench', 'results', `${name}${new Date().toISOString().slice(0, 10)}.json`)

/**
 * The rows that were measured today on this machine.
 * @param {string} name @returns {readonly { readonly row: string }[]}
 * @throws Error if the file of results is not JSON
 */
export const readResults = (name) => {
  const file = join(here, '..', pathOf(name))
  if (!existsSync(file)) return []
  try {
    const { machine, results } = JSON.parse(readFileSync(file, 'utf8'))
    return isDeepStrictEqual(machine, describeMachine()) ? results : []
  } catch {
    throw new Error(`${pathOf(name)}: expected JSON, got something else; delete or rename the file`)
  }
}

const describeMachine = () => ({
  cpu: cpus()[0]?.model,
  cores: threads,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
})

/** Writes results, with a description of the machine, to `results/`. @param {string} name @param {object} found */
export const writeResults = (name, found) => {
  const path = pathOf(name)
  mkdirSync(join(here, 'results'), { recursive: true })
  writeFileSync(join(here, '..', path), `${JSON.stringify({ machine: describeMachine(), ...found }, undefined, 1)}\n`)
  console.log(`\n${path}`)
}
