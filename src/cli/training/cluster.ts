/**
 * Training on many machines. Every machine runs the same command with its own worker number. Worker 0, the chief,
 * writes the run's folder and sends the others the checkpoint to resume from; the others only need the data.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as t from 'io-ts'
import type { ClusterSpec } from '../../backends/tensorflow/cluster.js'
import { addressesOf, hostAndPort, isPublic } from '../../backends/tensorflow/listening.js'
import { joinWorkers, type Workers } from '../../backends/tensorflow/workers.js'
import { integer } from '../../codec.js'
import { type DiffeoError, DiffeoException, orThrow, usageError } from '../../error.js'
import { readBytes } from '../../file.js'
import { decodeCheckpoint } from '../../train/checkpoint.js'
import { decodeWith } from '../../train/safetensors.js'
import type { EngineFlags } from '../flags.js'
import { modelMark, RunConfig } from '../run/config.js'
import type { Loaded, Saved } from '../run/folder.js'
import type { Io } from '../terminal/console.js'

export interface ClusterFlags extends EngineFlags {
  readonly workers?: readonly string[]
  readonly worker?: number
  /** In seconds. */
  readonly workerTimeout?: number
  /** Whether to listen at a public address. */
  readonly insecurePublic?: boolean
}

/** The flags about where and how to compute, which a run does not keep. */
export const unkept = ({
  engine,
  precision,
  xla,
  threads,
  device,
  workers,
  worker,
  workerTimeout,
  insecurePublic,
}: ClusterFlags) => ({
  ...(engine === 'auto' ? {} : { engine }),
  ...{ precision, xla, threads, device, workers, worker, workerTimeout, insecurePublic },
})

/** The environment variable `TF_CONFIG`, which users and schedulers of TensorFlow set. */
const TfConfig = t.type(
  {
    cluster: t.partial({ chief: t.array(t.string), worker: t.array(t.string) }),
    task: t.type({ type: t.keyof({ chief: null, worker: null }), index: integer(0, 65_535) }),
  },
  'TF_CONFIG',
)

const fromEnvironment = (text: string): E.Either<DiffeoError, Pick<ClusterSpec, 'addresses' | 'index'>> =>
  pipe(
    J.parse(text),
    E.mapLeft(() => usageError('TF_CONFIG', 'JSON', 'other text')),
    E.flatMap(decodeWith('TF_CONFIG', 'TF_CONFIG', TfConfig, 'name the workers with --workers and --worker instead')),
    E.map(({ cluster: { chief = [], worker = [] }, task: { type, index } }) => ({
      addresses: [...chief, ...worker],
      index: type === 'chief' ? index : chief.length + index,
    })),
  )

const refusal = (...parts: Parameters<typeof usageError>) => new DiffeoException(usageError(...parts))

const isAddress = (text: string): boolean => {
  const [, port] = /^(?:[^\s:\p{C}]+|\[[\da-f:.]+\]):(\d{1,5})$/iu.exec(text) ?? []
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

/**
 * The workers that flags or `TF_CONFIG` name; undefined for a single one.
 *
 * @throws DiffeoException with a usage or format error
 */
export const clusterSpec = (
  { workers, worker, workerTimeout, engine }: ClusterFlags,
  env: NodeJS.ProcessEnv = process.env,
): ClusterSpec | undefined => {
  const config = env['TF_CONFIG'] ?? ''
  if (workers === undefined && worker !== undefined)
    throw refusal('--worker', 'the addresses of all workers too', 'none', 'add --workers host:port,host:port')
  if (workers === undefined && config === '') return undefined
  const { addresses, index } =
    workers === undefined ? orThrow(fromEnvironment(config)) : { addresses: workers, index: worker ?? -1 }
  const strange = addresses.find((address, i) => !isAddress(address) || addresses.indexOf(address) !== i)
  if (strange !== undefined)
    throw refusal('--workers', 'distinct addresses host:port, separated by commas', `'${strange}'`)
  if (addresses.length < 2 && index <= 0) return undefined
  if (index < 0 || index >= addresses.length)
    throw refusal(
      '--worker',
      `the number of this worker, 0 to ${addresses.length - 1}`,
      index < 0 ? 'none' : `${index}`,
    )
  if (engine !== 'auto' && engine !== 'tensorflow')
    throw refusal('--workers', 'the engine tensorflow', `'${engine}'`, 'leave --engine out')
  return { addresses, index, timeout: workerTimeout ?? 600 }
}

const DANGER = 'whoever reaches it can read and write files as you'

/**
 * Refuses addresses that anybody may reach: the connections ask for no password.
 *
 * @throws DiffeoException with a usage error
 */
export const refusePublic = async ({ addresses }: Pick<ClusterSpec, 'addresses'>): Promise<void> => {
  for (const address of addresses) {
    const [host] = hostAndPort(address)
    const open = (await addressesOf(host)).find(isPublic)
    if (open !== undefined)
      throw refusal(
        '--workers',
        'addresses of a private network',
        open === host ? `the public ${address}` : `${address}, which is the public ${open}`,
        `use private addresses; add --insecure-public if a firewall protects the port: ${DANGER}`,
      )
  }
}

/**
 * Joins the other workers, if there are any.
 *
 * @throws DiffeoException if the flags are wrong or the workers do not meet
 */
export const joined = async (flags: ClusterFlags, { say }: Io): Promise<Workers | undefined> => {
  const spec = clusterSpec(flags)
  if (spec === undefined) return undefined
  if (flags.insecurePublic !== true) await refusePublic(spec)
  say(`worker ${spec.index} of ${spec.addresses.length}, waiting for the others`)
  const [, port] = hostAndPort(spec.addresses[spec.index]!)
  const joining = joinWorkers(spec, flags, (address) =>
    say(`listening at ${address ?? `port ${port} of every address of this machine`}; ${DANGER}`),
  )
  return orThrow(await joining())
}

/** Whether this process writes the run: worker 0, or the only process. */
export const isChief = (workers: Workers | undefined): boolean => (workers?.index ?? 0) === 0

/** The checkpoint that the chief resumes from, on every worker. */
export const sharedCheckpoint = async (
  workers: Workers | undefined,
  loaded: Loaded | undefined,
): Promise<Saved | undefined> => {
  if (workers === undefined) return loaded?.saved
  const bytes = await workers.share(
    loaded === undefined ? new Uint8Array() : orThrow(await readBytes(loaded.saved.path)()),
  )
  return bytes.length === 0 ? undefined : orThrow(decodeCheckpoint('the checkpoint of worker 0', RunConfig)(bytes))
}

/** All that decides the numbers: the places of the data and of a model's file may differ. */
const decisive = ({ data: { name, size }, contents, shape, model, recipe }: RunConfig) => ({
  name,
  size,
  contents,
  shape,
  model: modelMark(model),
  ...recipe,
})

const decodeShared = (bytes: Uint8Array): E.Either<DiffeoError, RunConfig> =>
  pipe(
    J.parse(new TextDecoder().decode(bytes)),
    E.mapLeft(() => usageError('workers', 'a configuration of worker 0', 'other text')),
    E.flatMap(decodeWith('worker 0', 'config', RunConfig, 'start all workers with one version')),
  )

/**
 * Compares the configuration with the chief's, on every worker.
 *
 * @throws DiffeoException with a usage error, if a worker would train something else
 */
export const sameConfig = async (workers: Workers | undefined, config: RunConfig): Promise<void> => {
  if (workers === undefined) return
  const chief = orThrow(decodeShared(await workers.share(Buffer.from(JSON.stringify(config)))))
  const [theirs, ours]: readonly Readonly<Record<string, unknown>>[] = [decisive(chief), decisive(config)]
  const text = (value: unknown): string => JSON.stringify(value) ?? 'none'
  const key = Object.keys({ ...theirs, ...ours }).find((k) => text(theirs![k]) !== text(ours![k]))
  // every worker learns of a refusal, so that none waits for the worker that refused
  const agrees = await workers.gather(key === undefined ? 1 : 0)
  const fix = 'start all workers with the same flags'
  if (key !== undefined)
    throw refusal(`worker ${workers.index}`, `${key} ${text(theirs![key])}, as worker 0 has it`, text(ours![key]), fix)
  const other = agrees.indexOf(0)
  if (other >= 0) throw refusal('workers', 'the same configuration on all', `another on worker ${other}`, fix)
}
