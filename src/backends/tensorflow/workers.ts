/**
 * Many machines: every worker of a run is a server of TensorFlow's runtime in its own process, and their programs meet in
 * collective operations. From here on `jit` gives each worker its share of a batch.
 *
 * Laws. All workers do the same in the same order, so each of these functions is a barrier: it resolves when all have called it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { ALL_REDUCE } from '../../compiler/operations.js'
import type { Program } from '../../compiler/program.js'
import type { Share } from '../../compiler/shard/partition.js'
import { asError, type DiffeoError, DiffeoException, engineError } from '../../error.js'
import { type Compiler, setCompiler } from '../compiler.js'
import { type Engine, useEngine } from '../engine.js'
import type { EngineOptions } from '../options.js'
import { compilerAmong } from './backend.js'
import type { TensorFlow } from './c-api.js'
import { type Cluster, type ClusterSpec, clusterOf, listens, serverDef } from './cluster.js'
import { keepToAddress } from './listening.js'

/** The workers of a run, seen by one of them. Worker 0 is the chief: it alone writes files. */
export interface Workers extends Share {
  readonly engine: Engine
  /** What each worker says, in their order. Whole numbers below 2²⁰ come as they are. */
  readonly gather: (n: number) => Promise<readonly number[]>
  /** What the chief has, on all workers; what others give is not looked at. */
  readonly share: (bytes: Uint8Array) => Promise<Uint8Array>
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 500))

/** Until all servers are up, which start in any order. */
const untilUp = async ({ addresses, timeout }: ClusterSpec): Promise<void> => {
  const began = performance.now()
  for (const [i, address] of addresses.entries())
    while (!(await listens(address))) {
      const missing = `nothing at ${address}, where worker ${i} should be`
      if (performance.now() - began > timeout * 1000)
        throw new DiffeoException(
          engineError(
            'workers',
            `all ${addresses.length} to start within ${timeout} s`,
            missing,
            'start it, or see whether the address can be reached from here',
          ),
        )
      await pause()
    }
}

/** The mean over the workers of a vector of so many numbers, as a program. */
const meanOf = (size: number, count: number): Program => ({
  values: [0, 1].map(() => ({ shape: [size], dtype: 'float32' })),
  inputs: [0],
  constants: new Map(),
  calls: [{ kernel: ALL_REDUCE, inputs: [0], attrs: { workers: count, instance: 0 }, outputs: [1] }],
  outputs: [1],
})

/** Numbers in one run of a program that shares bytes. */
const CHUNK = 2 ** 20

const talk = async (compiler: Compiler, { index, count }: Share): Promise<Pick<Workers, 'gather' | 'share'>> => {
  const sumWith = async (size: number) => {
    const { run } = await compiler({ program: meanOf(size, count), inputGroups: [1] })
    return async (own: Float32Array): Promise<Float32Array> => {
      const x = tf.tensor1d(own)
      const [mean] = (await run([x])) as readonly [tf.Tensor]
      const sum = (await mean.data<'float32'>()).map((v) => Math.round(v * count))
      tf.dispose([x, mean])
      return sum
    }
  }
  const numbers = await sumWith(count)
  const bytes = await sumWith(CHUNK)
  const zeros = new Float32Array(CHUNK)
  return {
    gather: async (n) => [...(await numbers(Float32Array.from({ length: count }, (_, i) => (i === index ? n : 0))))],
    share: async (own) => {
      // the first eight bytes say how many follow
      const whole = Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(own.length)).buffer), own])
      const piece = async (from: number): Promise<Uint8Array> => {
        const given = index === 0 ? Float32Array.from({ length: CHUNK }, (_, i) => whole[from + i] ?? 0) : zeros
        return Uint8Array.from(await bytes(given))
      }
      const pieces = [await piece(0)]
      const length = 8 + Number(Buffer.from(pieces[0]!.buffer).readBigUInt64LE())
      while (pieces.length * CHUNK < length) pieces.push(await piece(pieces.length * CHUNK))
      return Buffer.concat(pieces).subarray(8, length)
    },
  }
}

/** Starts this worker's server; TensorFlow says of a port that is taken no more than that it could not start. */
const serve = (library: TensorFlow, spec: ClusterSpec): string => {
  try {
    return library.serve(serverDef(spec))
  } catch (thrown) {
    const at = `${asError(thrown).got}, at ${spec.addresses[spec.index]}`
    throw new DiffeoException(
      engineError('workers', 'a port to listen on', at, 'choose another, or end the process that has it'),
    )
  }
}

/** That of this process. */
let cluster: Cluster | undefined

const joined = async (
  spec: ClusterSpec,
  engine: Engine,
  options: EngineOptions,
  onListening: OnListening,
): Promise<Workers> => {
  const compiler = await compilerAmong(options, async (library) => {
    cluster = clusterOf(spec, serve(library, spec))
    onListening(await keepToAddress(spec.addresses, spec.index))
    await untilUp(spec)
    return cluster
  })
  const share = { index: spec.index, count: spec.addresses.length }
  setCompiler(compiler, share)
  return { ...share, engine, ...(await talk(compiler, share)) }
}

/** Hears at which address alone this worker listens; undefined if at every one of its machine. */
type OnListening = (address: string | undefined) => void

/**
 * Takes a place among the workers of a run, and waits for the others. A process can do so once.
 *
 * @returns left: an engine error, if TensorFlow's library is missing, the port is taken or a worker does not come up
 */
export const joinWorkers = (
  spec: ClusterSpec,
  options: EngineOptions = {},
  onListening: OnListening = () => undefined,
): TE.TaskEither<DiffeoError, Workers> => {
  // it logs each attempt to reach a worker that is not there yet, and reads this when it loads
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3'
  return pipe(
    useEngine('tensorflow', options),
    TE.flatMap((engine) => TE.tryCatch(() => joined(spec, engine, options, onListening), asError)),
  )
}

/** Ends the process if a worker was lost: what still waits for that one would keep it alive. */
export const leave = (): void => {
  if (cluster?.isLost()) process.exit()
}
