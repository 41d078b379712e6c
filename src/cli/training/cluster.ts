/**
 * Training on many machines: every one runs the same command, with its own number. Worker 0 writes the run's folder,
 * and what it knows (the checkpoint to go on from) it tells the others; these need the data alone.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import type { ClusterSpec } from '../../backends/tensorflow/cluster.js'
import { addressesOf, hostAndPort, isPublic } from '../../backends/tensorflow/listening.js'
import { joinWorkers, type Workers } from '../../backends/tensorflow/workers.js'
import { integer } from '../../codec.js'
import { asError, type DiffeoError, usageError } from '../../error.js'
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
  /** Seconds. */
  readonly workerTimeout?: number
  /** Whether to listen at an address that anybody may reach. */
  readonly insecurePublic?: boolean
}

/** Of these flags those that were given: a run does not keep where and how it is computed. */
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

/** What TensorFlow's users and schedulers put into the environment variable `TF_CONFIG`. */
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

const isAddress = (text: string): boolean => /^[^\s:]+:\d+$|^\[[\da-f:]+\]:\d+$/i.test(text)

/** The workers that flags or `TF_CONFIG` name; nothing if there is one alone. */
export const clusterSpec = (
  { workers, worker, workerTimeout, engine }: ClusterFlags,
  env: NodeJS.ProcessEnv = process.env,
): E.Either<DiffeoError, ClusterSpec | undefined> => {
  const told = env['TF_CONFIG'] ?? ''
  if (workers === undefined && worker !== undefined)
    return E.left(
      usageError('--worker', 'the addresses of all workers too', 'none', 'add --workers host:port,host:port'),
    )
  if (workers === undefined && told === '') return E.right(undefined)
  return pipe(
    workers === undefined ? fromEnvironment(told) : E.right({ addresses: workers, index: worker ?? -1 }),
    E.flatMap(({ addresses, index }): E.Either<DiffeoError, ClusterSpec | undefined> => {
      const strange = addresses.find((address, i) => !isAddress(address) || addresses.indexOf(address) !== i)
      return strange !== undefined
        ? E.left(usageError('--workers', 'different addresses host:port, with commas between', `'${strange}'`))
        : addresses.length < 2 && index <= 0
          ? E.right(undefined)
          : index < 0 || index >= addresses.length
            ? E.left(
                usageError(
                  '--worker',
                  `which of the ${addresses.length} this is, from 0`,
                  index < 0 ? 'none' : `${index}`,
                ),
              )
            : engine !== 'auto' && engine !== 'tensorflow'
              ? E.left(usageError('--workers', 'the engine tensorflow', `'${engine}'`, 'leave --engine out'))
              : E.right({ addresses, index, timeout: workerTimeout ?? 600 })
    }),
  )
}

const DANGER = 'whoever reaches it can read and write files as you'

/** Refuses addresses that anybody may reach: the connections ask for no password. */
export const refusePublic = ({ addresses }: Pick<ClusterSpec, 'addresses'>): TE.TaskEither<DiffeoError, void> =>
  pipe(
    async () => {
      for (const address of addresses) {
        const [host] = hostAndPort(address)
        const open = (await addressesOf(host)).find(isPublic)
        if (open !== undefined) return E.left({ address, open })
      }
      return E.right(undefined)
    },
    TE.mapLeft(({ address, open }) =>
      usageError(
        '--workers',
        'addresses of a private network',
        open === hostAndPort(address)[0] ? `the public ${address}` : `${address}, which is the public ${open}`,
        `use private addresses; add --insecure-public if a firewall protects the port: ${DANGER}`,
      ),
    ),
  )

/** Takes a place among the workers, if there are several. */
export const joined = (flags: ClusterFlags, { say }: Io): TE.TaskEither<DiffeoError, Workers | undefined> =>
  pipe(
    TE.fromEither(clusterSpec(flags)),
    TE.tap((spec) => (spec === undefined || flags.insecurePublic === true ? TE.right(undefined) : refusePublic(spec))),
    TE.flatMap((spec) => {
      if (spec === undefined) return TE.right(undefined)
      say(`worker ${spec.index} of ${spec.addresses.length}, waiting for the others`)
      const [, port] = hostAndPort(spec.addresses[spec.index]!)
      return joinWorkers(spec, flags, (address) =>
        say(`listening at ${address ?? `port ${port} of every address of this machine`}; ${DANGER}`),
      )
    }),
  )

/** The checkpoint that the chief goes on from, on every worker. */
export const sharedCheckpoint = (
  workers: Workers | undefined,
  loaded: Loaded | undefined,
): TE.TaskEither<DiffeoError, Saved | undefined> =>
  workers === undefined
    ? TE.right(loaded?.saved)
    : pipe(
        loaded === undefined ? TE.right(new Uint8Array()) : readBytes(loaded.saved.path),
        TE.flatMap((bytes) => TE.tryCatch(() => workers.share(bytes), asError)),
        TE.flatMapEither((bytes) =>
          bytes.length === 0 ? E.right(undefined) : decodeCheckpoint('the checkpoint of worker 0', RunConfig)(bytes),
        ),
      )

/** All that decides the numbers: where the data and the file of a model lie may differ. */
const decisive = ({ data: { name, size }, contents, shape, model, recipe }: RunConfig) => ({
  name,
  size,
  contents,
  shape,
  model: modelMark(model),
  ...recipe,
})

/** Refuses where a worker would train something else than the chief. */
export const sameConfig = (workers: Workers | undefined, config: RunConfig): TE.TaskEither<DiffeoError, void> =>
  workers === undefined
    ? TE.right(undefined)
    : pipe(
        TE.tryCatch(() => workers.share(Buffer.from(JSON.stringify(config))), asError),
        TE.flatMapEither((bytes) =>
          pipe(
            J.parse(new TextDecoder().decode(bytes)),
            E.mapLeft(() => usageError('workers', 'a configuration of worker 0', 'other text')),
            E.flatMap(decodeWith('worker 0', 'config', RunConfig, 'start all workers with one version')),
          ),
        ),
        TE.map((chief): E.Either<DiffeoError, void> => {
          const [theirs, ours]: readonly Readonly<Record<string, unknown>>[] = [decisive(chief), decisive(config)]
          const text = (value: unknown): string => JSON.stringify(value) ?? 'none'
          const key = Object.keys({ ...theirs, ...ours }).find((k) => text(theirs![k]) !== text(ours![k]))
          return key === undefined
            ? E.right(undefined)
            : E.left(
                usageError(
                  `worker ${workers.index}`,
                  `${key} ${text(theirs![key])}, as worker 0 has it`,
                  text(ours![key]),
                  'start all workers with the same flags',
                ),
              )
        }),
        TE.bindTo('own'),
        // all hear of it, so that none waits for one that refused
        TE.bind('all', ({ own }) => TE.tryCatch(() => workers.gather(E.isRight(own) ? 1 : 0), asError)),
        TE.flatMapEither(({ own, all }) => {
          const other = all.indexOf(0)
          return E.isLeft(own) || other < 0
            ? own
            : E.left(
                usageError(
                  'workers',
                  'the same configuration on all',
                  `another on worker ${other}`,
                  'start all workers with the same flags',
                ),
              )
        }),
      )
