/**
 * Checkpoints: all of a run in one safetensors file, which other programs read too.
 *
 *   params/<path>        every parameter, statistics and ActNorm's `started` included
 *   moments/<i>/<path>   list i of the optimiser's moments, for each trained parameter
 *   best/<path>          the best parameters so far, if there are any
 *   metadata             format "diffeo checkpoint", version "1", step, config (JSON), best (JSON: the figures), lossScale (JSON),
 *                        flow (JSON: its fingerprint), sha256 of all the others and the tensors
 *
 * Reading is in two steps, because a flow has to be built before its parameters have a place: {@link loadCheckpoint}
 * returns the configuration and plain arrays; {@link restore} makes the tensors for the flow that the
 * configuration builds.
 *
 * Law. A run that is saved, restored and continued is the run that never stopped, bit for bit. For the figures of the
 * validations, save after `Validated` at the steps that have one, and pass `best` and `worse` back to `fit`.
 *
 * @example
 * await saveCheckpoint('run.safetensors')({ state, flow, config })()
 *
 * pipe(
 *   loadCheckpoint('run.safetensors', RunConfig),
 *   TE.flatMapEither((saved) => {
 *     const flow = build(saved.config)
 *     return restore(flow, adam())(saved) // the state: fit(flow, state, …) goes on from it
 *   }),
 * )
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { finite, natural } from '../codec.js'
import { type DiffeoError, formatError, trainingError, usageError } from '../error.js'
import { readBytes, writeFileAtomic } from '../file.js'
import { leaves, type Param, type Params, type Spec } from '../tensor/params.js'
import { type AnyTensor, unwrap } from '../tensor/tensor.js'
import { checked, withChecksum } from './checksum.js'
import { type Fingerprint, fingerprint } from './fingerprint.js'
import { type LossScale, MOST } from './lossScale.js'
import { decodeSafetensors, decodeWith, encodeSafetensors, type RawTensor, type Safetensors } from './safetensors.js'
import type { TrainState } from './state.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** The best validation so far. */
export interface BestFigures {
  readonly bitsPerDim: number
  /** How many validations since then were no better, for `fit`'s patience. */
  readonly worse: number
}

/** What a checkpoint is made from. Nothing of it is freed. */
export interface Snapshot {
  readonly state: TrainState
  /** The flow, or the objective, whose parameters they are. */
  readonly flow: { readonly spec: Spec }
  /** The run's configuration as plain JSON: what its codec's `encode` returns. Default: null */
  readonly config?: unknown
  /** The best validation so far, and its parameters if they are kept here; `worse` is 0 unless told. */
  readonly best?: { readonly params?: Params; readonly bitsPerDim: number; readonly worse?: number }
}

/** A checkpoint as it was read: plain arrays, no tensors, nothing to free. */
export interface Checkpoint<C> {
  /** The file. */
  readonly path: string
  readonly config: C
  readonly step: number
  readonly best?: BestFigures
  readonly lossScale?: LossScale
  /** What tells the flow from others with the same parameters; not in files of older versions. */
  readonly flow?: Fingerprint
  readonly tensors: Safetensors['tensors']
}

const FORMAT = 'diffeo checkpoint'
const VERSION = 1
const OTHER = 'check that it is a checkpoint of this program'

const Natural = natural('an integer from 0')
const Figures = t.type({ bitsPerDim: t.number, worse: Natural }, 'an object with bitsPerDim and worse')
const Scale = t.type({ factor: finite(1, MOST), good: Natural }, 'an object with factor and good')
const Numbers = t.array(t.union([t.number, t.null]), 'a list of numbers')
const Header = t.intersection([
  t.type({ format: t.literal(FORMAT), version: t.string }),
  t.partial({ step: t.string, config: t.string, best: t.string, lossScale: t.string, flow: t.string }),
])

// -------------------------------------------------------------------------------------
// save
// -------------------------------------------------------------------------------------

/**
 * The name of a moment in the file.
 *
 * @internal
 */
export const momentName = (list: number, path: string): string => `moments/${list}/${path}`

type Named = readonly (readonly [name: string, tensor: tf.Tensor])[]

const under = (prefix: string, params: Params): Named =>
  leaves<AnyTensor>(params).map(([path, leaf]) => [`${prefix}/${path}`, unwrap(leaf)])

const trainedPaths = (spec: Spec): readonly string[] =>
  leaves<Param>(spec).flatMap(([path, { role }]) => (role === 'statistic' ? [] : [path]))

const named = ({ state, flow, best }: Snapshot): E.Either<DiffeoError, Named> => {
  const { spec } = flow
  const paths = trainedPaths(spec)
  const whole = leaves<Param>(spec).map(([path]) => path)
  const fits = (params: Params): boolean => {
    const own = leaves<AnyTensor>(params)
    return own.length === whole.length && own.every(([path], i) => path === whole[i])
  }
  return fits(state.params) &&
    state.moments.every((m) => m.length === paths.length) &&
    (!best?.params || fits(best.params))
    ? E.right([
        ...under('params', state.params),
        ...state.moments.flatMap((list, i) => list.map((m, j) => [momentName(i, paths[j]!), m] as const)),
        ...(best?.params === undefined ? [] : under('best', best.params)),
      ])
    : E.left(usageError('checkpoint', 'the flow whose parameters they are', 'another', 'pass the one that was trained'))
}

/** The file's contents, of tensors that may be freed as soon as the task has started. */
const read = ({ metadata, tensors }: { metadata: Safetensors['metadata']; tensors: Named }) =>
  TE.tryCatch(
    async (): Promise<Safetensors> => {
      const values = tensors.map(async ([name, tensor]): Promise<[string, RawTensor]> => {
        const { shape } = tensor
        return [name, { shape, data: await tensor.data<'float32'>() }]
      })
      return { metadata, tensors: new Map(await Promise.all(values)) }
    },
    () =>
      trainingError('checkpoint', 'a state with its tensors', 'one that was freed', "save it before fit's next event"),
  )

const json = (what: string, value: unknown): E.Either<DiffeoError, string> =>
  pipe(
    J.stringify(value),
    E.mapLeft(() => usageError('checkpoint', `${what} as plain JSON`, 'a value that has no JSON')),
  )

const metadata = ({ state, config = null, best, flow }: Snapshot): E.Either<DiffeoError, Safetensors['metadata']> =>
  pipe(
    E.Do,
    E.bind('config', () => json('the configuration', config)),
    E.bind('best', () =>
      best === undefined
        ? E.right({})
        : Number.isFinite(best.bitsPerDim)
          ? E.right({ best: JSON.stringify({ bitsPerDim: best.bitsPerDim, worse: best.worse ?? 0 }) })
          : E.left(usageError('checkpoint', 'a finite best figure', `${best.bitsPerDim}`)),
    ),
    E.let('print', () => fingerprint(flow)),
    E.map(({ config, best, print }) => ({
      format: FORMAT,
      version: `${VERSION}`,
      step: `${state.step}`,
      config,
      ...best,
      ...(state.lossScale && { lossScale: JSON.stringify(state.lossScale) }),
      ...(print && { flow: JSON.stringify(print) }),
    })),
  )

/**
 * Writes a checkpoint, all at once or not at all. The tensors are read when the task starts and may be freed from then
 * on; their number does not change.
 *
 * @returns left: a file error, if it cannot be written; a usage error, if `config` has no JSON or the best figure is
 *   not finite; a training error, if the state was freed before.
 * @example
 * await saveCheckpoint('run.safetensors')({ state: start, flow: moons, config: { width: 32 } })()
 */
export const saveCheckpoint =
  (path: string) =>
  (snapshot: Snapshot): TE.TaskEither<DiffeoError, void> =>
  () => {
    // Started here and not inside a pipe of tasks, which would begin later than the caller's call.
    const contents = pipe(
      E.Do,
      E.bind('metadata', () => metadata(snapshot)),
      E.bind('tensors', () => named(snapshot)),
      E.match(
        async (error) => E.left(error),
        (all) => read(all)(),
      ),
    )
    return pipe(
      () => contents,
      TE.map(withChecksum),
      TE.flatMapEither(encodeSafetensors),
      TE.flatMap(writeFileAtomic(path)),
    )()
  }

// -------------------------------------------------------------------------------------
// load
// -------------------------------------------------------------------------------------

const parsed =
  <A>(path: string, root: string, codec: t.Decoder<unknown, A>, fix: string) =>
  (text: string | undefined): E.Either<DiffeoError, A> =>
    pipe(
      J.parse(text ?? ''),
      E.mapLeft(() => formatError(path, `${root} in JSON`, text === undefined ? 'none' : 'other text', OTHER)),
      E.flatMap(decodeWith<A>(path, root, codec, fix)),
    )

const checkVersion =
  (path: string) =>
  (text: string): E.Either<DiffeoError, unknown> => {
    const version = /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : Number.NaN
    return version === VERSION
      ? E.right(version)
      : E.left(
          version > VERSION
            ? formatError(path, `a checkpoint of version ${VERSION}`, `version ${version}`, 'use a newer diffeo')
            : formatError(path, `a checkpoint of version ${VERSION}`, 'no version that there is', OTHER),
        )
  }

/** What a file may lack, under its name. */
const optional =
  <K extends string, A>(path: string, name: K, codec: t.Decoder<unknown, A>) =>
  (text: string | undefined): E.Either<DiffeoError, { readonly [_ in K]?: A }> =>
    text === undefined
      ? E.right({})
      : pipe(
          parsed(path, name, codec, OTHER)(text),
          E.map((value) => ({ [name]: value }) as { readonly [_ in K]: A }),
        )

const decodeParts =
  <C>(path: string, codec: t.Decoder<unknown, C>) =>
  (contents: Safetensors): E.Either<DiffeoError, Checkpoint<C>> =>
    pipe(
      decodeWith(path, 'the metadata', Header, OTHER)(contents.metadata),
      E.bindTo('header'),
      E.bind('version', ({ header }) => checkVersion(path)(header.version)),
      E.bind('whole', () => checked(path)(contents)),
      E.bind('step', ({ header }) => parsed(path, 'step', Natural, OTHER)(header.step)),
      E.bind('config', ({ header }) =>
        parsed(path, 'config', codec, 'read it with the program and version that wrote it')(header.config),
      ),
      E.bind('best', ({ header }) => optional(path, 'best', Figures)(header.best)),
      E.bind('lossScale', ({ header }) => optional(path, 'lossScale', Scale)(header.lossScale)),
      E.bind('flow', ({ header }) => optional(path, 'flow', Numbers)(header.flow)),
      E.map(({ step, config, best, lossScale, flow }) => ({
        path,
        step,
        config,
        tensors: contents.tensors,
        ...best,
        ...lossScale,
        ...flow,
      })),
    )

/** {@link loadCheckpoint} of the bytes of a file; `path` is what sentences call it. */
export const decodeCheckpoint =
  <C>(path: string, codec: t.Decoder<unknown, C>) =>
  (bytes: Uint8Array): E.Either<DiffeoError, Checkpoint<C>> =>
    pipe(bytes, decodeSafetensors(path), E.flatMap(decodeParts<C>(path, codec)))

/**
 * Reads a checkpoint: its configuration, as `codec` decodes it, or whatever it is; and plain arrays. Makes no tensors.
 *
 * @returns left: a file error, if it cannot be read; a format error, if it is damaged, no checkpoint, of a newer
 *   version, or of another configuration.
 * @example await loadCheckpoint('run.safetensors', t.type({ width: t.number }))() // right: { config: { width: 32 }, … }
 */
export const loadCheckpoint = <C = unknown>(
  path: string,
  codec: t.Decoder<unknown, C> = t.unknown as t.Decoder<unknown, unknown> as t.Decoder<unknown, C>,
): TE.TaskEither<DiffeoError, Checkpoint<C>> =>
  pipe(readBytes(path), TE.flatMapEither(decodeCheckpoint<C>(path, codec)))
