/**
 * The engine `tensorflow`: programs as graphs on TensorFlow's own runtime, through its C API. Results stay in the
 * runtime: a state that comes back as the next argument stays on the device, and is read only where it is asked for. Eager operations, outside of `jit`, run on the wasm backend.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs-core'
import { ALL_REDUCE } from '../../compiler/operations.js'
import type { Elements, ValueInfo } from '../../compiler/program.js'
import { DiffeoException, engineError } from '../../error.js'
import type { Compiler } from '../compiler.js'
import type { EngineOptions } from '../options.js'
import { storage } from '../shared/buffers.js'
import { type Group, pack } from '../shared/flat-state.js'
import { type Loaded, loadWasm } from '../tfjs/backend.js'
import { registerGradients } from '../tfjs/gradients.js'
import { type Handle, openLibrary as loadLibrary, type TensorFlow } from './c-api.js'
import { type Cluster, clusterConfig, collectiveRun } from './cluster.js'
import { breaksAt, sessionConfig, slowness } from './config.js'
import { keeperOf, keptOf, Resident } from './device-state.js'
import { type Found, findLibrary } from './install/find.js'
import { VERSION } from './install/wheels.js'
import { inputName, lowerProgram, NOTHING, outputName } from './lower/program.js'

/** A compiler for `jit`. The device is one as the runtime names it; `onGpu` is whether it may be a GPU. */
const tensorflowCompiler =
  (library: TensorFlow, options: EngineOptions, onGpu: boolean, cluster?: Cluster): Compiler =>
  async (input) => {
    const { steadyGroups = 0 } = input
    const { program, inputs, outputs } = pack(input)
    const store = storage()
    const infoIn = inputs.map((_, i): ValueInfo => program.values[program.inputs[i]!]!)
    const infoOut = outputs.map((_, i): ValueInfo => program.values[program.outputs[i]!]!)
    const shapes = input.program.outputs.map((v) => input.program.values[v]!.shape)
    const meets = cluster !== undefined && program.calls.some(({ kernel }) => kernel === ALL_REDUCE)
    const isSteady = (i: number): boolean => i < steadyGroups && inputs.length === input.inputGroups.length
    // names of what a session keeps mean nothing to the server of a cluster
    const kept = meets ? NOTHING : keptOf(inputs, outputs, isSteady)
    const how = { device: options.device, precision: options.precision, kept }
    const session = library.session({
      ...(meets
        ? {
            graph: lowerProgram(program, { ...how, group: cluster.nextGroup() }),
            config: clusterConfig(sessionConfig(options), cluster.spec, options.precision),
            target: cluster.target,
            runOptions: collectiveRun(cluster.spec),
          }
        : { graph: lowerProgram(program, how), config: sessionConfig(options, !onGpu) }),
      inputs: inputs.map((_, i) => ({ node: inputName(i), index: 0 })),
      outputs: outputs.map((_, i) => ({ node: outputName(i), index: 0 })),
    })
    const call = meets ? (feeds: readonly Handle[]) => cluster.turn(() => session.run(feeds)) : session.run
    const keeper = kept.inputs.size + kept.outputs.size > 0 ? keeperOf(library, session) : undefined
    const read = ({ dataId }: tf.Tensor): Elements => store.peek(dataId) ?? (tf.engine().readSync(dataId) as Elements)

    /** A tensor of the runtime with the elements of these, one after another. */
    const copied = (info: ValueInfo, { offsets }: Group, own: readonly tf.Tensor[]): Handle => {
      const handle = library.allocate(info)
      const elements = library.elements(handle, info)
      for (const [j, t] of own.entries()) elements.set(read(t), offsets[j])
      return handle
    }
    /** The residents of steady groups, as long as their tensors are the same. */
    const known = new Map<number, { readonly ids: readonly object[]; readonly resident: Resident }>()
    const steadily = (i: number, own: readonly tf.Tensor[]): Resident => {
      const before = known.get(i)
      const ids = own.map(({ dataId }) => dataId)
      if (before?.ids.every((id, j) => id === ids[j])) return before.resident
      before?.resident.free()
      known.delete(i)
      const resident = new Resident(library, copied(infoIn[i]!, inputs[i]!, own))
      known.set(i, { ids, resident })
      return resident
    }

    /** What goes in by its number, and whether it is for this run alone. */
    type Feed = (i: number) => readonly [resident: Resident, passing: boolean]
    const perform = async (feed: Feed): Promise<readonly Resident[]> => {
      const passing: Resident[] = []
      try {
        const feeds: Handle[] = []
        for (const i of inputs.keys()) {
          const [resident, alone] = feed(i)
          if (alone) passing.push(resident)
          feeds.push(kept.inputs.has(i) ? await keeper!.keep(resident) : resident.tensor())
        }
        const made = await call(feeds)
        return made.map((handle, i) => (kept.outputs.has(i) ? keeper!.resident(handle) : new Resident(library, handle)))
      } finally {
        for (const resident of passing) resident.free()
      }
    }
    const start = async (tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]> => {
      const made = await perform((i) => {
        const { from, count } = inputs[i]!
        const own = tensors.slice(from, from + count)
        const owner = store.ownerOf(own)
        if (owner instanceof Resident) return [owner, false]
        return isSteady(i)
          ? [steadily(i, own), false]
          : [new Resident(library, copied(infoIn[i]!, inputs[i]!, own)), true]
      })
      return outputs.flatMap(({ from, count, offsets, size }, i) => {
        const [info, resident] = [infoOut[i]!, made[i]!]
        const ends = [...offsets.slice(1), size]
        const own = shapes.slice(from, from + count).map((shape, j) => ({
          shape,
          look: () => library.elements(resident.tensor(), info).subarray(offsets[j], ends[j]),
        }))
        return store.pieces(info.dtype, resident, own, () => resident.free())
      })
    }
    /** The first run is the one that optimises the graph, which takes seconds: zeros will do, so that it counts as compiling. */
    const warmUp = async (): Promise<void> => {
      const zeros = (info: ValueInfo): Handle => {
        const handle = library.allocate(info)
        library.elements(handle, info).fill(0)
        return handle
      }
      const made = await perform((i) => [new Resident(library, zeros(infoIn[i]!)), true])
      for (const resident of made) resident.free()
    }
    // one after another: what a run is given may be replaced by the next
    let last: Promise<unknown> = Promise.resolve()
    const run = (tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]> => {
      const next = last.then(() => start(tensors))
      last = next.catch(() => undefined)
      return next
    }
    const dispose = async (): Promise<void> => {
      await last
      // what waits for a worker that is gone may never end
      if (cluster?.isLost()) return
      for (const { resident } of known.values()) resident.free()
      known.clear()
      keeper?.close()
      await session.dispose()
    }
    try {
      await warmUp()
    } catch (thrown) {
      await dispose()
      throw thrown
    }
    return { run, dispose }
  }

/** Once for a process: the library stays, and a compiler is what compiled programs are kept under. */
const opened = new Map<string, Promise<TensorFlow>>()
const compilers = new Map<string, Compiler>()

/** Opens a library that was found, by default the best. */
export const openLibrary = (found: Found = findLibrary()): Promise<TensorFlow> => {
  const known = opened.get(found.api)
  if (known !== undefined) return known
  const library = loadLibrary(found)
  opened.set(found.api, library)
  library.catch(() => opened.delete(found.api))
  return library
}

/** What the engine asks of a library beyond the ordinary, and how one that has it shows it. */
const features: Readonly<Record<string, (library: TensorFlow) => boolean>> = {
  // a kernel for a list of types that is DT_BFLOAT16 alone
  bf16: ({ kernels }) => Buffer.from(kernels('Conv2D')).includes(Buffer.from([0x32, 1, 14])),
  XLA: ({ kernels }) => kernels('XlaLaunch').length > 0,
  'many machines': ({ kernels }) => kernels('CollectiveReduceV2').length > 0,
}

/** A library's version, the devices that a program could use, and what it lacks. */
export interface Inspected {
  readonly version: string
  readonly devices: readonly string[]
  readonly lacks: readonly string[]
}

/** Opens a library and looks. */
export const inspect = async (found: Found): Promise<Inspected> => {
  const library = await openLibrary(found)
  const lacks = Object.keys(features).filter((name) => !features[name]!(library))
  return { version: library.version, devices: await devicesOf(library, {}), lacks }
}

/** The devices that an empty program could use. */
const devicesOf = async (library: TensorFlow, options: EngineOptions): Promise<readonly string[]> => {
  const graph = lowerProgram({ values: [], inputs: [], constants: new Map(), calls: [], outputs: [] })
  const session = library.session({ graph, config: sessionConfig(options), inputs: [], outputs: [] })
  const devices = session.devices()
  await session.dispose()
  return devices.map((name) => name.replace(/^.*device:/, '')).filter((name) => !name.startsWith('XLA'))
}

/** The threads that the first session of the process began with: TensorFlow has one pool of them for all. */
let pool: number | undefined

const refuse = (expected: string, got: string, fix?: string): never => {
  throw new DiffeoException(engineError('engine tensorflow', expected, got, fix))
}

/** One of the devices that were found, by any of the names that TensorFlow takes. */
const deviceNamed = (asked: string, found: readonly string[]): string => {
  const name = asked.replace(/^\/?(device:)?/i, '').toUpperCase()
  return found.find((known) => known === name || known === `${name}:0`) ?? refuse(`one of ${found.join(', ')}`, asked)
}

/** The library, and what is asked of it; throws where there is none, what the loader throws, or why it cannot. */
const resolve = async (asked: EngineOptions) => {
  const found = findLibrary()
  const [library, { availableParallelism }] = await Promise.all([openLibrary(found), import('node:os')])
  const { precision = 'float32', xla = false, threads = availableParallelism() } = asked
  if (pool !== undefined && pool !== threads)
    refuse(`${pool} threads, which this process began with`, `${threads}`, 'start another process')
  const devices = await devicesOf(library, { threads })
  pool = threads
  const device = asked.device === undefined ? undefined : deviceNamed(asked.device, devices)
  const onGpu = (device === undefined ? devices : [device]).some((name) => name.startsWith('GPU'))
  const slow = onGpu ? undefined : slowness(precision, await readFile('/proc/cpuinfo', 'utf8').catch(() => ''))
  if (slow !== undefined && breaksAt(precision, library.version))
    refuse(
      `TensorFlow ${VERSION} for bf16 on a processor without its instructions`,
      library.version,
      'run `npx diffeo engine install`, and unset DIFFEO_TENSORFLOW',
    )
  const options = { precision, xla, threads, ...(device === undefined ? {} : { device: `/device:${device}` }) }
  return { found, library, options, onGpu, slow }
}

/** The compiler of one of several workers, once `join` has made its cluster. */
export const compilerAmong = async (
  asked: EngineOptions,
  join: (library: TensorFlow) => Promise<Cluster>,
): Promise<Compiler> => {
  const { library, options, onGpu } = await resolve(asked)
  return tensorflowCompiler(library, options, onGpu, await join(library))
}

/** Loads the library; throws where there is none, what the loader throws, or why it cannot do what is asked. */
export const loadTensorflow = async (asked: EngineOptions = {}): Promise<Loaded & { readonly compiler: Compiler }> => {
  const { found, library, options, onGpu, slow } = await resolve(asked)
  const { precision, xla, threads } = options
  await loadWasm()
  registerGradients()
  const key = JSON.stringify([found.api, options])
  const compiler = compilers.get(key) ?? tensorflowCompiler(library, options, onGpu)
  compilers.set(key, compiler)
  return {
    version: library.version,
    threads,
    ...(slow === undefined ? {} : { note: slow }),
    ...(precision === 'float32' ? {} : { precision }),
    device: [onGpu ? 'GPU' : 'CPU', ...(precision === 'float32' ? [] : [precision]), ...(xla ? ['XLA'] : [])].join(
      ', ',
    ),
    compiler,
  }
}
