/**
 * Simulators: functions of parameters, run in parallel if they are asynchronous. A simulation that throws, or returns
 * anything but finite numbers, is counted and left out.
 *
 * @module
 */
import { DiffeoException, trainingError, usageError } from '../error.js'
import { foldIn, type Key } from '../tensor/random.js'
import { messageOf } from '../thrown.js'

/** Simulates data at parameters. Everything random comes from the key. */
export type Simulator = (parameters: Float32Array, key: Key) => ArrayLike<number> | Promise<ArrayLike<number>>

/** Parameters and data, row after row. */
export interface Simulations {
  readonly parameters: Float32Array
  readonly data: Float32Array
  readonly count: number
  /** The numbers of one observation. */
  readonly size: number
  /** How many simulations failed, and the first reason. */
  readonly failed: number
  readonly reason?: string
}

/** How many simulations run at once, unless an option says otherwise. */
const AT_ONCE = 16

const problemOf = (data: ArrayLike<number>): string | undefined => {
  if (typeof data !== 'object' || data === null || typeof data.length !== 'number' || data.length === 0)
    return `returned ${data === null ? 'null' : typeof data} instead of numbers`
  const all: readonly unknown[] = Array.from(data)
  const wrong = all.findIndex((value) => typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
  return wrong < 0 ? undefined : `returned ${String(all[wrong])}`
}

/**
 * Simulates at each row of parameters.
 *
 * @param size the numbers of one observation, if they are known
 * @throws DiffeoException (as a rejection) if more than half of the simulations fail
 */
export const simulate = async (
  op: string,
  simulator: Simulator,
  parameters: Float32Array,
  width: number,
  key: Key,
  {
    size,
    parallel = AT_ONCE,
    signal,
  }: { readonly size?: number; readonly parallel?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Simulations> => {
  if (typeof simulator !== 'function')
    throw new DiffeoException(usageError(op, 'a simulator, which is a function', typeof simulator))
  const total = parameters.length / width
  const results: (ArrayLike<number> | undefined)[] = Array(total).fill(undefined)
  const problems: (string | undefined)[] = Array(total).fill(undefined)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < total && signal?.aborted !== true) {
      const i = next++
      try {
        const data = await simulator(parameters.slice(i * width, (i + 1) * width), foldIn(key, i))
        problems[i] = problemOf(data)
        if (problems[i] === undefined) results[i] = data
      } catch (thrown) {
        problems[i] = `threw: ${messageOf(thrown)}`
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, total)) }, work))
  if (signal?.aborted === true)
    throw new DiffeoException(trainingError(op, 'to finish', 'an abort while simulating', 'run it again'))
  // the first in order decides, not the first to finish
  const expected = size ?? results.find((data) => data !== undefined)?.length
  results.forEach((data, i) => {
    if (data === undefined || data.length === expected) return
    results[i] = undefined
    problems[i] = `returned ${data.length} numbers instead of ${expected}`
  })
  const kept = results.flatMap((data, i) => (data === undefined ? [] : [i]))
  const failed = total - kept.length
  const reason = problems.find((problem) => problem !== undefined)
  if (kept.length === 0 || failed > total / 2)
    throw new DiffeoException(
      trainingError(
        op,
        'at least half of the simulations to succeed',
        `${failed} of ${total} failed; the first ${reason}`,
      ),
    )
  const columns = expected!
  const data = new Float32Array(kept.length * columns)
  const own = new Float32Array(kept.length * width)
  kept.forEach((i, row) => {
    data.set(Float32Array.from(results[i]!), row * columns)
    own.set(parameters.subarray(i * width, (i + 1) * width), row * width)
  })
  return { parameters: own, data, count: kept.length, size: columns, failed, ...(reason !== undefined && { reason }) }
}
