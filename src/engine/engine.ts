/**
 * What runs the arithmetic. An engine is chosen once at start and is then the backend of TensorFlow.js: no other part
 * of the library knows which one it is. Importing the library loads no engine and registers nothing; until one is
 * chosen, by {@link useEngine} or {@link ready} or by the caller's own `@tensorflow/tfjs`, the first operation throws
 * TensorFlow.js's "No backend found in registry".
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
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
import { type Compiler, eagerCompiler, setCompiler } from './jit.js'
import { type Loaded, loadCpu, loadTfjsNode, loadWasm, loadWebgpu } from './load.js'
import { loadOnnxruntime } from './onnx/onnxruntime.js'
import { type EngineOptions, refusal } from './options.js'
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
  /** What the user should know about the choice, for instance that a better engine is installed but broken. */
  readonly note?: string
}

const loaders: Readonly<
  Record<EngineName, (options: EngineOptions) => Promise<Loaded & { readonly compiler?: Compiler }>>
> = {
  onnxruntime: loadOnnxruntime,
  tensorflow: (options) => import('./tensorflow/tensorflow.js').then(({ loadTensorflow }) => loadTensorflow(options)),
  'tfjs-node-gpu': () => loadTfjsNode('@tensorflow/tfjs-node-gpu'),
  'tfjs-node': () => loadTfjsNode('@tensorflow/tfjs-node'),
  webgpu: loadWebgpu,
  wasm: loadWasm,
  cpu: loadCpu,
}

/** Best first. */
const preference = Object.keys(loaders) as readonly EngineName[]

/** Native engines live in Node only. WebGPU is left to browsers: in Node its results cannot be read at once. */
const tried: readonly EngineName[] =
  globalThis.process === undefined ? ['webgpu', 'wasm', 'cpu'] : preference.filter((name) => name !== 'webgpu')

const packages: Readonly<Record<EngineName, readonly string[]>> = {
  onnxruntime: ['onnxruntime-node'],
  tensorflow: ['koffi'],
  'tfjs-node-gpu': ['@tensorflow/tfjs-node-gpu'],
  'tfjs-node': ['@tensorflow/tfjs-node'],
  webgpu: ['@tensorflow/tfjs-backend-webgpu', ...(globalThis.process === undefined ? [] : ['webgpu'])],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  cpu: ['@tensorflow/tfjs-backend-cpu'],
}

/** The package of an engine that is not installed. Vite puts a module that says so in place of an optional peer. */
const missingOf = (name: EngineName, reason: unknown): string | undefined =>
  reason instanceof Error &&
  (('code' in reason && /^(ERR_)?MODULE_NOT_FOUND$/.test(String(reason.code))) ||
    /^Could not resolve "/.test(reason.message))
    ? packages[name].find((known) => reason.message.includes(`'${known}'`) || reason.message.includes(`"${known}"`))
    : undefined

const firstLine = (reason: unknown): string =>
  (reason instanceof Error ? reason.message : String(reason)).split('\n')[0] ?? ''

const toError = (name: EngineName, reason: unknown): DiffeoError => {
  if (reason instanceof DiffeoException) return reason.error
  const missing = missingOf(name, reason)
  const all = packages[name].join(' ')
  return missing === undefined
    ? engineError(
        `engine ${name}`,
        `the package ${all.replace(' ', ' and ')} to load`,
        firstLine(reason),
        'install it anew, or choose another engine with DIFFEO_ENGINE',
      )
    : engineError(`engine ${name}`, `the package ${missing}`, 'no such package', `run \`npm install ${all}\``)
}

interface Failure {
  readonly error: DiffeoError
  readonly missing: boolean
}

const load = (name: EngineName, options: EngineOptions): TE.TaskEither<Failure, Engine> =>
  pipe(
    TE.tryCatch(
      async () => {
        const refused = refusal(name, options)
        if (refused !== undefined) throw new DiffeoException(refused)
        const { compiler = eagerCompiler, ...loaded } = await loaders[name](options)
        registerGradients()
        setCompiler(compiler)
        return { name, ...loaded }
      },
      (reason) => ({
        error: toError(name, reason),
        missing: reason instanceof NotInstalled || missingOf(name, reason) !== undefined,
      }),
    ),
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
        TE.map((engine) => (notes.length > 0 ? { ...engine, note: notes.join('; ') } : engine)),
        TE.orElse(({ error, missing }) =>
          loadBest(rest, options, missing && name !== preference[0] ? notes : [...notes, describeError(error)]),
        ),
      )

const requested = (name: string): E.Either<DiffeoError, EngineName> =>
  pipe(
    EngineName.decode(name),
    E.mapLeft(() => usageError('engine', ['auto', ...preference].join(', '), `'${name}'`)),
  )

/**
 * Chooses the engine: the one named; with `'auto'` the one that the environment variable `DIFFEO_ENGINE` names, else
 * the best found (`onnxruntime`, `tensorflow`, `tfjs-node-gpu`, `tfjs-node`, `wasm`, `cpu`; in a browser `webgpu`,
 * `wasm`, `cpu`). With nothing named, the engine's `note` says why if a better one is broken, or if `onnxruntime` is
 * missing. With `options` that not every engine has, `'auto'` looks among those that have them.
 *
 * @returns left: an engine error, if the one named is missing (it says how to install it) or broken; a usage error, if
 *   there is none of that name, or it lacks an option.
 *
 * @example await useEngine('tensorflow', { precision: 'bf16' })() // left, where it is not installed: how to install it
 */
export const useEngine = (
  name: EngineName | 'auto' = 'auto',
  options: EngineOptions = {},
): TE.TaskEither<DiffeoError, Engine> => {
  const asked = name !== 'auto' ? name : (globalThis.process?.env['DIFFEO_ENGINE'] ?? 'auto')
  const able = tried.filter((known) => refusal(known, options) === undefined)
  const best = asked === 'auto' || asked === ''
  return best && able.length > 1
    ? loadBest(able, options)
    : pipe(
        TE.fromEither(requested(best ? able[0]! : asked)),
        TE.flatMap((known) =>
          pipe(
            load(known, options),
            TE.mapLeft(({ error }) => error),
          ),
        ),
      )
}

/**
 * {@link useEngine} for a program with no use for an `Either`: `await ready()` before the first tensor.
 *
 * @throws DiffeoException (as a rejection) with the left of {@link useEngine}
 * @example const { name } = await ready() // 'onnxruntime', where it has a binary
 */
export const ready = async (name: EngineName | 'auto' = 'auto', options: EngineOptions = {}): Promise<Engine> =>
  orThrow(await useEngine(name, options)())

/**
 * One line: name, version, threads, device.
 *
 * @example describeEngine(await ready('cpu')) // 'engine cpu 4.22.0, 1 thread, CPU, JavaScript'
 */
export const describeEngine = ({ name, version, threads, device, note }: Engine): string =>
  `engine ${name} ${version}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${device}` +
  (note === undefined ? '' : ` (${note})`)
