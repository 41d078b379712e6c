/**
 * Simulators in other processes, written in any language: they read a line of JSON for each simulation, and write one.
 *
 *     { "parameters": [0.5, 1.2], "seed": 2871 }   →   { "data": [3.1, 4.5, 2.2] }   or   { "error": "no solution" }
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { DiffeoException, usageError } from '../error.js'
import type { Key } from '../tensor/random.js'
import type { Simulator } from './simulate.js'

export interface ProcessOptions {
  /** How many processes run at once. Default: one per processor */
  readonly processes?: number
}

/** A simulator whose processes end with `dispose`. */
export interface ProcessSimulator {
  readonly simulator: Simulator
  readonly dispose: () => void
  readonly [Symbol.dispose]: () => void
}

interface Waiting {
  readonly resolve: (data: ArrayLike<number>) => void
  readonly reject: (error: Error) => void
}

/** The data of a line, or the error that it reports. Throws for any other line. */
const dataIn = (line: string): ArrayLike<number> | Error => {
  const answer: unknown = JSON.parse(line)
  if (typeof answer === 'object' && answer !== null) {
    // NaN is null in JSON, which is no number; `simulate` counts it
    if ('data' in answer && Array.isArray(answer.data)) return answer.data as number[]
    if ('error' in answer) return new Error(String(answer.error))
  }
  throw new Error('no answer')
}

const worker = (command: string, args: readonly string[]) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: Waiting[] = []
  let ended: Error | undefined
  const end = (why: string): void => {
    ended ??= new Error(why)
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  child.on('error', ({ message }) => end(`cannot run ${command}: ${message}`))
  // 'close' comes after the last line
  child.on('close', (code, signal) => end(`${command} ended with ${signal ?? `code ${code}`}`))
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      const answer = dataIn(line)
      const next = waiting.shift()
      if (answer instanceof Error) next?.reject(answer)
      else next?.resolve(answer)
    } catch {
      // later lines could belong to other parameters
      end(`${command} wrote a line that is no answer: ${line.slice(0, 60)}; write other text to stderr`)
      child.kill()
    }
  })
  return {
    load: () => waiting.length,
    ask: (parameters: Float32Array, [seed]: Key) =>
      new Promise<ArrayLike<number>>((resolve, reject) => {
        if (ended !== undefined) {
          reject(ended)
          return
        }
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify({ parameters: [...parameters], seed })}\n`)
      }),
    stop: () => {
      end('the simulator was disposed')
      child.kill()
    },
  }
}

/**
 * A simulator in processes that read and write lines of JSON. Each line that they read has `parameters` and a `seed`; each line
 * that they write has `data`, or an `error`, in the same order.
 *
 * @throws DiffeoException if the number of processes is not a whole number above 0
 * @example
 * using epidemic = simulatorProcess('python3', ['epidemic.py'])
 * const posterior = await npe(epidemic.simulator, boxPrior([0, 0], [1, 1]), { key: key(0) })
 */
export const simulatorProcess = (
  command: string,
  args: readonly string[] = [],
  { processes = availableParallelism() }: ProcessOptions = {},
): ProcessSimulator => {
  if (!Number.isInteger(processes) || processes < 1)
    throw new DiffeoException(usageError('simulatorProcess', 'a number of processes above 0', `${processes}`))
  const workers = Array.from({ length: processes }, () => worker(command, args))
  const dispose = (): void => {
    for (const { stop } of workers) stop()
  }
  return {
    simulator: (parameters, key) => workers.reduce((a, b) => (b.load() < a.load() ? b : a)).ask(parameters, key),
    dispose,
    [Symbol.dispose]: dispose,
  }
}
