/** What the tests of the command share: a few hundred of the real images, and the command as its users start it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os, { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PassThrough } from 'node:stream'
import { WriteStream } from 'node:tty'
import { loadMnist } from 'diffeo/data'
import { decode } from 'fast-png'
import { vi } from 'vitest'
import { run } from '../../src/cli/program.js'
import type { Io } from '../../src/cli/terminal/console.js'
import { asError, describeError } from '../../src/error.js'
import type { StartProgress } from '../../src/progress.js'

/**
 * One thread for the engine, here and in the processes that tests start: on flows this small a second thread only waits,
 * which doubles the time of a processor.
 */
os.availableParallelism = () => 1
syncBuiltinESMExports()
const oneThread = `import os from 'node:os'
  import { syncBuiltinESMExports } from 'node:module'
  os.availableParallelism = () => 1
  syncBuiltinESMExports()`
process.env['NODE_OPTIONS'] =
  `${process.env['NODE_OPTIONS'] ?? ''} --import=data:text/javascript,${encodeURIComponent(oneThread)}`

export const main = resolve('dist/src/cli/main.js')

/** A folder of the test's own, and what lies in it. */
export const temporary = (name: string) => {
  const folder = mkdtempSync(join(tmpdir(), `diffeo-${name}-`))
  return { folder, at: (path: string) => join(folder, path) }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** Runs a program; `during` may meddle. */
export const command = (
  cwd: string,
  program: string,
  args: readonly string[],
  during: (child: ChildProcess) => void = () => undefined,
  env: Readonly<Record<string, string>> = {},
) =>
  new Promise<Ended>((done) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env } })
    let [out, err] = ['', '']
    child.stdout.on('data', (text) => {
      out += text
    })
    child.stderr.on('data', (text) => {
      err += text
    })
    child.on('close', (code, signal) => done({ code, signal, out, err }))
    during(child)
  })

/** Runs `diffeo` with flags, as its users start it. */
export const started = (cwd: string, ...args: readonly string[]) => command(cwd, process.execPath, [main, ...args])

/**
 * Runs `diffeo` with flags in the test's own process, which spares the start of one and of an engine; one at a time. Not
 * for signals, nor for modules that import the package.
 */
export const diffeo = async (cwd: string, ...args: readonly string[]): Promise<Ended> => {
  const [home, argv] = [process.cwd(), process.argv]
  let [out, err] = ['', '']
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += text
      return true
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += text
      return true
    }),
  ]
  process.argv = [process.execPath, main, ...args]
  process.chdir(cwd)
  try {
    await run(process.argv)
    return { code: Number(process.exitCode ?? 0), signal: null, out, err }
  } finally {
    process.chdir(home)
    process.argv = argv
    process.exitCode = undefined
    for (const spy of spies) spy.mockRestore()
  }
}

/** Waits until a file has a text, for as long as the test may take. */
export const appears = async (path: string, text: string): Promise<void> => {
  while (!existsSync(path) || !readFileSync(path, 'utf8').includes(text))
    await new Promise((next) => setTimeout(next, 50))
}

const idx = (magic: number, sizes: readonly number[], bytes: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(4 + 4 * sizes.length)
  header.writeUInt32BE(magic)
  sizes.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i)
  })
  return Buffer.concat([header, bytes])
}

/** 560 images to train and 53 to test, the last batch of which is not full; in the four files of MNIST. */
export const fewImages = async (folder: string, tests = 53): Promise<void> => {
  const mnist = await loadMnist()
  mkdirSync(folder)
  for (const [part, name, n] of [
    ['train', 'train', 560],
    ['test', 't10k', tests],
  ] as const) {
    const { labels, read } = mnist[part]
    const images = await read(Uint32Array.from({ length: n }, (_, i) => i))
    writeFileSync(join(folder, `${name}-images-idx3-ubyte`), idx(0x803, [n, 28, 28], images))
    writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), idx(0x801, [n], labels!.subarray(0, n)))
  }
}

/** The pixels of the n-th test image of such a folder. */
export const testImage = (folder: string, n: number): Uint8Array =>
  readFileSync(join(folder, 't10k-images-idx3-ubyte')).subarray(16 + 784 * n, 16 + 784 * (n + 1))

/** The pixels of one image of 28×28 in the file of a grid, by its place in reading order. */
export const tile = (png: Uint8Array, place: number, columns: number): readonly number[] => {
  const { width, data } = decode(png)
  const [top, left] = [Math.floor(place / columns), place % columns].map((i) => 2 + 30 * i) as [number, number]
  return Array.from({ length: 784 }, (_, p) => data[(top + Math.floor(p / 28)) * width + left + (p % 28)]!)
}

/** A model that compiles fast. */
export const small = ['--scales', '2', '--width', '2', '--blocks', '0', '--batch', '4'] as const

/** A terminal of 200 columns that keeps what is written, and answers about its colours as Node's own does. */
export const terminal = () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 200 })
  const { getColorDepth, hasColors } = WriteStream.prototype
  const colours = { getColorDepth, hasColors: (env?: object) => hasColors.call({ getColorDepth }, env as never) }
  return {
    stream: Object.assign(stream, colours) as unknown as NodeJS.WriteStream,
    /** All that was written since the last call. */
    written: (): string => String(stream.read() ?? ''),
  }
}

/** Keeps every state of every line of progress. */
const keep =
  (drawn: string[]): StartProgress =>
  (format, _total, payload) => {
    let shown = { ...payload }
    const draw = () => drawn.push(format.replace(/\{(\w+)\}/g, (_, name: string) => shown[name] ?? ''))
    const update = (_done: number, more = {}) => {
      shown = { ...shown, ...more }
      draw()
    }
    return { update, stop: () => undefined }
  }

/** How work of the command ends: `done`, `stopped`, or the sentence of its error. */
export const endOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (outcome) => (typeof outcome === 'string' ? outcome : 'done'),
    (thrown) => describeError(asError(thrown)),
  )

/** What a command is given that runs in the test's own process: its lines, results and progress are kept. */
export const ioOf = (
  said: string[],
  results: unknown[] = [],
  signal = new AbortController().signal,
  drawn: string[] = [],
): Io => ({
  say: (line) => said.push(line),
  warn: (line) => said.push(line),
  result: (value) => results.push(value),
  progress: keep(drawn),
  signal,
  hold: () => () => undefined,
})
