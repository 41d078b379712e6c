// @ts-check
/** The sides of a benchmark as processes of their own (README.md has the protocol), and what describes a run. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const threads = availableParallelism()
const python = join(here, 'peers', '.venv', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')

/**
 * What some names stand for: an engine, its options and its environment.
 * @type {Readonly<Record<string, readonly [string, object?, object?]>>}
 */
const engines = {
  ordinary: ['onnxruntime', {}, { DIFFEO_BLOCK: '0' }],
  'tensorflow-bf16': ['tensorflow', { precision: 'bf16' }],
  'tensorflow-xla': ['tensorflow', { xla: true }],
}

/** The peers that there are. @param {string} asked @returns {readonly string[]} */
export const peersOf = (asked) => {
  if (existsSync(python)) return asked.split(',').filter(Boolean)
  console.log('PyTorch and JAX are not there; `bash bench/peers/setup.sh` brings them')
  return []
}

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
  // said by its exit
  own.stdin.on('error', () => undefined)
  const next = () => new Promise((resolve) => (early.length > 0 ? resolve(early.shift()) : waiting.push(resolve)))
  return {
    next,
    ask: (/** @type {object} */ message, /** @type {Uint8Array} */ bytes = new Uint8Array()) => {
      own.stdin.write(`${JSON.stringify(message)}\n`)
      own.stdin.write(bytes)
      return next()
    },
    end: () => own.stdin.end(),
  }
}

/** @param {string} name */
const startEngine = (name) => {
  const [engine, options, env] = engines[name] ?? [name]
  return child(process.execPath, [join(here, 'engine.mjs'), engine, JSON.stringify(options ?? {})], env)
}
/** @param {string} name */
const startPeer = (name) =>
  name === 'jax'
    ? child(python, [join(here, 'peers', 'jax_peer.py'), 'default', `${threads}`])
    : child(python, [join(here, 'peers', 'torch_peer.py'), name, `${threads}`])

/**
 * Every side that starts and loads a row's file; one that does not is said and left out.
 * @param {readonly string[]} engines @param {readonly string[]} peers @param {object} row @param {string} file
 */
export const startSides = async (engines, peers, row, file) => {
  const sides = []
  for (const side of [...engines, ...peers]) {
    const own = (engines.includes(side) ? startEngine : startPeer)(side)
    const { ready: called, error } = await own.next()
    const loaded = error === undefined ? await own.ask({ cmd: 'load', row, file }) : { error }
    if (loaded.error === undefined) sides.push({ side, own, called })
    else console.log(`  ${side}: ${loaded.error}`)
  }
  return sides
}

/**
 * One turn of a side. The threads of the side before look for work for a while before they sleep, on cores that this one wants.
 *
 * @template A @param {{ ask: (message: object) => Promise<A> }} own @param {object} message @returns {Promise<A>}
 */
export const turn = async (own, message) => {
  await setTimeout(100)
  return own.ask(message)
}

/** @param {number[]} list */
export const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

/** Where the results of today are. @param {string} name */
const pathOf = (name) => join('bench', 'results', `${name}${new Date().toISOString().slice(0, 10)}.json`)

/**
 * The rows that were measured today on this machine. A file that cannot be read stops a benchmark before it begins.
 * @param {string} name @returns {readonly { readonly row: string }[]}
 */
export const readResults = (name) => {
  const file = join(here, '..', pathOf(name))
  if (!existsSync(file)) return []
  try {
    const { machine, results } = JSON.parse(readFileSync(file, 'utf8'))
    return isDeepStrictEqual(machine, describeMachine()) ? results : []
  } catch {
    throw new Error(`${pathOf(name)}: expected the results of today, got what is no JSON; move it away`)
  }
}

const describeMachine = () => ({
  cpu: cpus()[0]?.model,
  cores: threads,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
})

/** Writes what was found, with the machine, to `results/`. @param {string} name @param {object} found */
export const writeResults = (name, found) => {
  const path = pathOf(name)
  mkdirSync(join(here, 'results'), { recursive: true })
  writeFileSync(join(here, '..', path), `${JSON.stringify({ machine: describeMachine(), ...found }, undefined, 1)}\n`)
  console.log(`\n${path}`)
}
