/**
 * A cluster of TensorFlow's runtime: each worker is a server in its own process, and collective operations of their graphs meet. Field
 * numbers from tensorflow_server.proto, cluster.proto and config.proto of TensorFlow 2.21.
 *
 * @module
 */
import { connect } from 'node:net'
import { type DiffeoError, DiffeoException, engineError } from '../../error.js'
import type { Precision } from '../options.js'
import { encoder, field, many, mapping } from '../shared/protobuf.js'
import { hostAndPort } from './listening.js'

/** The workers of a run, as `host:port` in the order of their numbers, and which of them this process is. */
export interface ClusterSpec {
  readonly addresses: readonly string[]
  readonly index: number
  /** Seconds to wait for the others. */
  readonly timeout: number
}

const encode = encoder({
  ServerDef: {
    cluster: field('ClusterDef', 1),
    jobName: field('string', 2),
    taskIndex: field('int32', 3),
    defaultSessionConfig: field('ConfigProto', 4),
    protocol: field('string', 5),
  },
  ClusterDef: { job: many('JobDef', 1) },
  JobDef: { name: field('string', 1), tasks: mapping('int32', 'string', 2) },
  ConfigProto: {
    deviceFilters: many('string', 4),
    isolateSessionState: field('bool', 15),
    experimental: field('Experimental', 16),
    graphOptions: field('GraphOptions', 10),
  },
  GraphOptions: { rewriteOptions: field('RewriterConfig', 10) },
  RewriterConfig: { remapping: field('int32', 14) },
  Experimental: { collectiveGroupLeader: field('string', 1) },
  RunOptions: { timeoutInMs: field('int64', 2), experimental: field('RunExperimental', 8) },
  RunExperimental: { collectiveGraphKey: field('int64', 1) },
})

/** A session sees its own devices alone, and the first worker tells all others which step is meant. */
const config = (index: number) => ({
  deviceFilters: [`/job:worker/task:${index}`],
  isolateSessionState: true,
  experimental: { collectiveGroupLeader: '/job:worker/replica:0/task:0' },
})

/** A `ServerDef`: one job of so many tasks. */
export const serverDef = ({ addresses, index }: ClusterSpec): Uint8Array =>
  encode('ServerDef')({
    defaultSessionConfig: config(index),
    cluster: { job: [{ name: 'worker', tasks: Object.fromEntries(addresses.entries()) }] },
    jobName: 'worker',
    taskIndex: index,
    protocol: 'grpc',
  })

/** `RewriterConfig.OFF` */
const OFF = 2

/**
 * The `ConfigProto` of a session with collectives: messages that stand one after another are merged. In bf16 a convolution
 * takes nothing along: the fused operation is registered without that type, which a server refuses and a session of one
 * process does not look at.
 */
export const clusterConfig = (usual: Uint8Array, { index }: ClusterSpec, precision?: Precision): Uint8Array => {
  const rewrites = precision === 'bf16' ? { graphOptions: { rewriteOptions: { remapping: OFF } } } : {}
  return new Uint8Array([...usual, ...encode('ConfigProto')({ ...config(index), ...rewrites })])
}

/**
 * `RunOptions`: all programs count their steps together, since all workers run them in the same order. The time is that of
 * the whole run: with one of its own, each collective would keep a thread asleep for so long.
 */
export const collectiveRun = ({ timeout }: ClusterSpec): Uint8Array =>
  encode('RunOptions')({ timeoutInMs: timeout * 1000, experimental: { collectiveGraphKey: 1 } })

/** What a compiler has to know of a cluster. */
export interface Cluster {
  readonly spec: ClusterSpec
  /** The server that runs programs with collectives. */
  readonly target: string
  /** A number that the same program has on all workers: they compile in the same order. */
  readonly nextGroup: () => number
  /** Whether a run has failed: another may never end. */
  readonly isLost: () => boolean
  /** One after another; what goes wrong between workers gets a sentence of its own. */
  readonly turn: <A>(run: () => Promise<A>) => Promise<A>
}

const blame = /remote target \/job:worker\/replica:0\/task:(\d+)/g

const lost = (addresses: readonly string[], got: string): DiffeoError =>
  engineError(
    'workers',
    `all ${addresses.length} to go on`,
    got,
    'look what it said last, then start all of them again with --resume',
  )

/** What was thrown, or which worker did not respond: the error began at the last one named. */
const lostWorker = ({ addresses, timeout }: ClusterSpec, thrown: unknown): unknown => {
  if (!(thrown instanceof DiffeoException)) return thrown
  const named = [...thrown.error.got.matchAll(blame)].at(-1)?.[1]
  if (named === undefined && !thrown.error.got.includes('timed out')) return thrown
  return new DiffeoException(
    lost(
      addresses,
      named === undefined ? `none within ${timeout} s` : `none of worker ${named} (${addresses[Number(named)]})`,
    ),
  )
}

/** Whether something listens there. */
export const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host, port] = hostAndPort(address)
    const socket = connect({ host, port })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2000, end(false)).once('connect', end(true)).once('error', end(false))
  })

/** Milliseconds between looks at workers that are waited for, and how often in a row one is missed that is gone. */
const LOOK = 2000
const MISSES = 3

/**
 * What runs, or who went away meanwhile: the runtime does not notice a worker that dies before it has fetched what was
 * computed for it.
 */
const watched = <A>({ addresses }: ClusterSpec, running: Promise<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    const misses = addresses.map(() => 0)
    const look = async (): Promise<void> => {
      for (const [i, address] of addresses.entries()) misses[i] = (await listens(address)) ? 0 : misses[i]! + 1
      const gone = misses.findIndex((n) => n >= MISSES)
      if (gone >= 0) reject(new DiffeoException(lost(addresses, `none of worker ${gone} (${addresses[gone]})`)))
      else timer = setTimeout(look, LOOK)
    }
    let timer = setTimeout(look, LOOK)
    running.then(resolve, reject).finally(() => clearTimeout(timer))
  })

/** A cluster whose server runs. */
export const clusterOf = (spec: ClusterSpec, target: string): Cluster => {
  let groups = 0
  let isLost = false
  let last: Promise<unknown> = Promise.resolve()
  return {
    spec,
    target,
    nextGroup: () => {
      groups += 1
      return groups
    },
    isLost: () => isLost,
    turn: (run) => {
      const next = last
        .then(() => watched(spec, run()))
        .catch((thrown) => {
          isLost = true
          throw lostWorker(spec, thrown)
        })
      last = next.catch(() => undefined)
      return next
    },
  }
}
