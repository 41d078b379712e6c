/**
 * How an engine is chosen, among those that there are: `engine.ts` has them all, `browser.ts` those of browsers.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { identity, pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import {
  type DiffeoError,
  DiffeoException,
  describeError,
  engineError,
  NotInstalled,
  orThrow,
  usageError,
} from '../error.js'
import { setHost } from '../host.js'
import { isMissingPackage, messageOf } from '../thrown.js'
import { type Compiler, eagerCompiler, setCompiler } from './compiler.js'
import { type EngineOptions, refusal } from './options.js'
import { withoutErrorListeners } from './process-listeners.js'
import { hostTensor } from './shared/buffers.js'
import type { Loaded } from './tfjs/backend.js'
import { registerGradients } from './tfjs/gradients.js'

/**
 * The codec of {@link EngineName}.
 *
 * @example EngineName.is('wasm') // true
 */
export const EngineName = t.keyof(
  {
    onnxruntime: null,
    tensorflow: null,
    'tfjs-node-gpu': null,
    'tfjs-node': null,
    webgpu: null,
    wasm: null,
    cpu: null,
  },
  'EngineName',
)

/** The name of an engine, as `DIFFEO_ENGINE` and `--engine` take it. */
export type EngineName = t.TypeOf<typeof EngineName>

/** The engine in use. */
export interface Engine extends Loaded {
  readonly name: EngineName
}

/** How each of the engines that there are is loaded. */
export type Loaders = {
  readonly [name in EngineName]?: (options: EngineOptions) => Promise<Loaded & { readonly compiler?: Compiler }>
}

const packages: Readonly<Record<EngineName, readonly string[]>> = {
  onnxruntime: ['onnxruntime-node'],
  tensorflow: ['koffi'],
  'tfjs-node-gpu': ['@tensorflow/tfjs-node-gpu'],
  'tfjs-node': ['@tensorflow/tfjs-node'],
  webgpu: ['@tensorflow/tfjs-backend-webgpu', ...(globalThis.process === undefined ? [] : ['webgpu'])],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  cpu: ['@tensorflow/tfjs-backend-cpu'],
}

/** The package of an engine that is not installed. */
const missingOf = (name: EngineName, reason: unknown): string | undefined =>
  packages[name].find((candidate) => isMissingPackage(candidate, reason))

const firstLine = (reason: unknown): string => messageOf(reason).split('\n')[0] ?? ''

const toError = (name: EngineName, reason: unknown): DiffeoError => {
  if (reason instanceof DiffeoException) return reason.error
  const missing = missingOf(name, reason)
  const all = packages[name].join(' ')
  return missing === undefined
    ? engineError(
        `engine ${name}`,
        `the package ${all.replace(' ', ' and ')} to load`,
        firstLine(reason),
        'reinstall it, or choose another engine with DIFFEO_ENGINE',
      )
    : engineError(`engine ${name}`, `the package ${missing}`, 'no such package', `run \`npm install ${all}\``)
}

let warned = false
/** One line on the standard error stream, or the console of a browser, once for a process. */
const warnOnce = (line: string): void => {
  if (!warned) console.warn(line)
  warned = true
}

interface Failure {
  readonly error: DiffeoError
  readonly missing: boolean
}

/** What chooses among some engines. */
export interface Choice {
  readonly useEngine: (name?: EngineName | 'auto', options?: EngineOptions) => TE.TaskEither<DiffeoError, Engine>
  readonly ready: (name?: EngineName | 'auto', options?: EngineOptions) => Promise<Engine>
}

/** The choice among these engines: `auto` tries those named, best first. */
export const choiceOf = (loaders: Loaders, tried: readonly EngineName[]): Choice => {
  const known = Object.keys(loaders) as readonly EngineName[]

  const load = (name: EngineName, options: EngineOptions): TE.TaskEither<Failure, Engine> =>
    TE.tryCatch(
      async () => {
        const refused = refusal(name, options)
        if (refused !== undefined) throw new DiffeoException(refused)
        const { compiler = eagerCompiler, ...loaded } = await withoutErrorListeners(() => loaders[name]!(options))
        registerGradients()
        setCompiler(compiler)
        setHost(compiler === eagerCompiler ? undefined : hostTensor)
        return { name, ...loaded }
      },
      (reason) => ({
        error: toError(name, reason),
        missing: reason instanceof NotInstalled || missingOf(name, reason) !== undefined,
      }),
    )

  /**
   * The first engine that loads. One that is installed and broken is worth a note, one that is not installed is not: but
   * for the first, which comes with the library.
   */
  const loadBest = (
    [name, ...rest]: readonly EngineName[],
    options: EngineOptions,
    notes: readonly string[] = [],
  ): TE.TaskEither<DiffeoError, Engine> =>
    name === undefined
      ? TE.left(engineError('engine', 'one that loads', notes.join('; ') || 'none'))
      : pipe(
          load(name, options),
          TE.map((engine) => {
            if (notes.length > 0) warnOnce(`diffeo: engine ${engine.name}, a slower one: ${notes.join('; ')}`)
            const all = [...notes, ...(engine.note === undefined ? [] : [engine.note])]
            return all.length > 0 ? { ...engine, note: all.join('; ') } : engine
          }),
          TE.orElse(({ error, missing }) =>
            loadBest(rest, options, missing && name !== 'onnxruntime' ? notes : [...notes, describeError(error)]),
          ),
        )

  const requested = (name: string): E.Either<DiffeoError, EngineName> =>
    pipe(
      EngineName.decode(name),
      E.filterOrElseW((asked) => asked in loaders, identity),
      E.mapLeft(() => usageError('engine', ['auto', ...known].join(', '), `'${name}'`)),
    )

  const choose: Choice['useEngine'] = (name = 'auto', options = {}) => {
    const asked = name !== 'auto' ? name : (globalThis.process?.env?.['DIFFEO_ENGINE'] ?? 'auto')
    const able = tried.filter((own) => refusal(own, options) === undefined)
    const best = asked === 'auto' || asked === ''
    return best && able.length > 1
      ? loadBest(able, options)
      : pipe(
          TE.fromEither(requested(best ? able[0]! : asked)),
          TE.flatMap((own) =>
            pipe(
              load(own, options),
              TE.mapLeft(({ error }) => error),
            ),
          ),
        )
  }
  // One after another: TensorFlow.js gives up a backend that starts while it is asked for again.
  let choosing: Promise<unknown> = Promise.resolve()
  const useEngine: Choice['useEngine'] = (name, options) => () => {
    const next = choosing.then(choose(name, options))
    choosing = next
    return next
  }
  return { useEngine, ready: async (name, options) => orThrow(await useEngine(name, options)()) }
}

/**
 * One line: name, version, threads, device.
 *
 * @example describeEngine(await ready('cpu')) // 'engine cpu 4.22.0, 1 thread, CPU, JavaScript'
 */
export const describeEngine = ({ name, version, threads, device, note }: Engine): string =>
  `engine ${name} ${version}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${device}` +
  (note === undefined ? '' : ` (${note})`)
