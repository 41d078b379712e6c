/**
 * The engine `onnxruntime`: programs as ONNX graphs on ONNX Runtime, native and threaded. Eager operations, outside of
 * `jit`, run on the wasm backend.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { fromElements } from '../../compiler/evaluate.js'
import { type Elements, sizeOf, type ValueInfo } from '../../compiler/program.js'
import { trace } from '../../compiler/trace.js'
import { DiffeoException, engineError } from '../../error.js'
import { messageOf } from '../../thrown.js'
import type { Compiler } from '../compiler.js'
import type { EngineOptions } from '../options.js'
import { storage } from '../shared/buffers.js'
import { type Group, pack } from '../shared/flat-state.js'
import { type Loaded, loadWasm } from '../tfjs/backend.js'
import { registerGradients } from '../tfjs/gradients.js'
import { inputName, type LowerOptions, lowerProgram, outputName } from './lower/program.js'
import { importRuntime, type Runtime, toRuntime } from './runtime.js'

type Feeds = InferenceSession.FeedsType

/** What a runtime of ONNX models is asked for. */
interface OnnxOptions extends LowerOptions {
  readonly threads: number
}

const sessionOptions = (threads: number): InferenceSession.SessionOptions => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  // planned memory is a second arena beside the first: half as much again, and no faster
  enableMemPattern: false,
  // The program is simplified already; what the runtime would add doubles the start-up and gains nothing measurable.
  graphOptimizationLevel: 'disabled',
  logSeverityLevel: 3,
})

/** A result of the runtime; its failure becomes a sentence. */
const answered = <A>(expected: string, answer: Promise<A>): Promise<A> =>
  answer.catch((thrown: unknown) => {
    throw new DiffeoException(engineError('engine onnxruntime', expected, messageOf(thrown).trim()))
  })

/** A compiler for `jit`. */
const onnxCompiler =
  (ort: Runtime, { threads, ...how }: OnnxOptions): Compiler =>
  async (input) => {
    const { steadyGroups = 0 } = input
    const { program, inputs, outputs } = pack(input)
    const model = lowerProgram(program, how)
    const store = storage()
    const info = (v: number): ValueInfo => program.values[v]!
    const wrap = ({ dtype, shape }: ValueInfo, data: Elements): OrtTensor =>
      new ort.Tensor(dtype as 'float32', toRuntime(data) as Float32Array, shape)
    const shapes = input.program.outputs.map((v) => input.program.values[v]!.shape)
    const read = ({ dataId }: tf.Tensor): Elements => store.peek(dataId) ?? (tf.engine().readSync(dataId) as Elements)
    const feed = ({ from, count, size }: Group, i: number, tensors: readonly tf.Tensor[]): OrtTensor => {
      const parts = tensors.slice(from, from + count).map(read)
      return wrap(info(program.inputs[i]!), parts.length === 1 ? parts[0]! : joined(parts, size))
    }
    const create = (bytes: Uint8Array) =>
      answered('a program that it takes', ort.InferenceSession.create(toRuntime(bytes), sessionOptions(threads)))
    const runs = 'a program that runs'

    // Groups are inputs of the program, but where one fell apart into single tensors: then there are more of them.
    const early = inputs.length === input.inputGroups.length ? inputs.slice(0, steadyGroups) : []
    const parts = early.length === 0 ? undefined : model.encodeParts(early.map((_, i) => inputName(i)))
    const first = parts === undefined || parts.between.length === 0 ? undefined : await create(parts.first)
    const session = await create(first === undefined ? model.encode() : parts!.second).catch(async (thrown) => {
      await first?.release()
      throw thrown
    })
    const direct = new Set(first === undefined ? inputs.map((_, i) => inputName(i)) : parts!.inputs)
    let seen: readonly object[] = []
    let known: Feeds = {}
    /** What depends on the steady inputs alone, computed when they are others than before. */
    const between = async (tensors: readonly tf.Tensor[]): Promise<Feeds> => {
      if (first === undefined) return known
      const own = tensors
        .slice(
          0,
          early.reduce((n, { count }) => n + count, 0),
        )
        .map((t) => t.dataId)
      if (own.length !== seen.length || own.some((dataId, i) => dataId !== seen[i])) {
        const feeds = Object.fromEntries(early.map((g, i) => [inputName(i), feed(g, i, tensors)]))
        known = await answered(runs, first.run(feeds))
        seen = own
      }
      return known
    }

    const run = async (tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]> => {
      const steadily = await between(tensors)
      const own = inputs.flatMap((g, i) =>
        direct.has(inputName(i)) ? [[inputName(i), feed(g, i, tensors)] as const] : [],
      )
      const made = outputs.map(({ size }, i) => store.take(info(program.outputs[i]!).dtype, size))
      const fetches = Object.fromEntries(made.map((data, i) => [outputName(i), wrap(info(program.outputs[i]!), data)]))
      await answered(runs, session.run({ ...steadily, ...Object.fromEntries(own) }, fetches))
      return outputs.flatMap(({ from, count, offsets, size }, i) => {
        const ends = [...offsets.slice(1), size]
        return store.tensors(
          info(program.outputs[i]!).dtype,
          made[i]!,
          shapes
            .slice(from, from + count)
            .map((shape, j) => ({ shape, piece: made[i]!.subarray(offsets[j], ends[j]) })),
        )
      })
    }
    const dispose = async (): Promise<void> => {
      await first?.release()
      await session.release()
    }
    return { run, dispose }
  }

/** Pieces as one vector: the one that they lie in, if they lie there in order. */
const joined = (parts: readonly Elements[], size: number): Elements => {
  const [first] = parts as readonly [Elements, ...Elements[]]
  let end = first.byteOffset
  const inOrder = parts.every((part) => {
    const follows = part.buffer === first.buffer && part.byteOffset === end
    end = part.byteOffset + part.byteLength
    return follows
  })
  if (inOrder) return new Float32Array(first.buffer as ArrayBuffer, first.byteOffset, size)
  const whole = new Float32Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * The block size of the runtime's own convolutions on this machine. They are not documented, and with a wrong block
 * they return wrong numbers silently, so a small convolution and its gradients have to agree with the ordinary
 * operators first; where none does, ordinary operators are all that is used.
 */
const probe = async (ort: Runtime, threads: number): Promise<number | undefined> => {
  const shapes = [[32, 6, 5, 32], [3, 3, 32, 48], [48]]
  const infos = shapes.map((shape): ValueInfo => ({ shape, dtype: 'float32' }))
  const program = trace(([x, w, b]) => {
    const y = (v: tf.Tensor, k: tf.Tensor) =>
      tf.relu(tf.add(tf.conv2d(v as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'), b!))
    const { value, grads } = tf.valueAndGrads((v, k) => tf.sum(tf.square(y(v!, k!))) as tf.Scalar)([x!, w!])
    return [value, ...grads]
  }, infos)
  // numbers without a pattern that a wrong order of elements would keep
  const inputs = infos.map((info) =>
    fromElements(
      Float32Array.from({ length: sizeOf(info.shape) }, (_, i) => Math.sin(i * i) / 2),
      info,
    ),
  )
  const results = async (how: LowerOptions): Promise<readonly Float32Array[]> => {
    const { run, dispose } = await onnxCompiler(ort, { threads, ...how })({ program, inputGroups: [1, 1, 1] })
    const out = await run(inputs)
    const read = out.map((t) => t.dataSync<'float32'>())
    tf.dispose([...out])
    await dispose()
    return read
  }
  try {
    const wanted = await results({})
    const agrees = (got: readonly Float32Array[]): boolean =>
      got.every((data, i) =>
        data.every((v, j) => Math.abs(v - wanted[i]![j]!) <= 1e-3 * (1 + Math.abs(wanted[i]![j]!))),
      )
    for (const block of [16, 8]) if (await results({ block }).then(agrees, () => false)) return block
    return undefined
  } finally {
    tf.dispose(inputs)
  }
}

/** A named input of a model. */
export interface OnnxFeed {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array | BigInt64Array
}

/** Runs a model on named inputs; returns every output under its name. */
type OnnxRunner = (feeds: readonly OnnxFeed[]) => Promise<Readonly<Record<string, Float32Array>>>

/** A model of whatever origin, read afresh. */
export const runOnnx = async (model: Uint8Array): Promise<OnnxRunner> => {
  const ort = await importRuntime()
  const session = await ort.InferenceSession.create(toRuntime(model), { logSeverityLevel: 3 })
  return async (feeds) => {
    const inputs = feeds.map(
      ({ name, shape, data }) => [name, new ort.Tensor(toRuntime(data) as Float32Array, shape)] as const,
    )
    const results = await session.run(Object.fromEntries(inputs))
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]))
  }
}

/** By threads, once for a process: the probe costs time, and a compiler is what compiled programs are kept under. */
const probed = new Map<number, ReturnType<typeof startCompiler>>()

const startCompiler = async (ort: Runtime, threads: number) => {
  registerGradients()
  // DIFFEO_BLOCK=0 keeps to the ordinary operators
  const block = globalThis.process.env['DIFFEO_BLOCK'] === '0' ? undefined : await probe(ort, threads)
  return { block, compiler: onnxCompiler(ort, { threads, ...(block === undefined ? {} : { block }) }) }
}

/** Loads the runtime; throws what the import throws. */
export const loadOnnxruntime = async (
  options: EngineOptions = {},
): Promise<Loaded & { readonly compiler: Compiler }> => {
  const [ort, { availableParallelism }] = await Promise.all([importRuntime(), import('node:os')])
  await loadWasm(options)
  const { threads = availableParallelism() } = options
  const version = ort.env.versions.node ?? ort.env.versions.common
  const started = probed.get(threads) ?? startCompiler(ort, threads)
  probed.set(threads, started)
  const { block, compiler } = await started.catch((reason) => {
    probed.delete(threads)
    throw reason
  })
  return { version, threads, device: block === undefined ? 'CPU' : `CPU, blocks of ${block}`, compiler }
}
