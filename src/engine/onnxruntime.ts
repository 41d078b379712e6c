/**
 * The engine `onnxruntime`: programs as ONNX graphs on ONNX Runtime, native and threaded. Eager operations, outside of
 * `jit`, run on the wasm backend.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Compiler } from './jit.js'
import { type Loaded, loadWasm } from './load.js'
import { inputName, outputName, translate } from './onnx/translate.js'
import type { Elements, Program } from './program.js'
import { storage } from './storage.js'

type Ort = typeof import('onnxruntime-node')

/** What a runtime of ONNX models is asked for. */
export interface OnnxOptions {
  readonly threads: number
}

const sessionOptions = ({ threads }: OnnxOptions): InferenceSession.SessionOptions => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  // The program is simplified already; what the runtime would add costs start-up and gains nothing that was measured.
  graphOptimizationLevel: 'basic',
  logSeverityLevel: 3,
})

/** A compiler for `jit`. */
export const onnxCompiler =
  (ort: Ort, options: OnnxOptions): Compiler =>
  async (program: Program) => {
    const session = await ort.InferenceSession.create(translate(program), sessionOptions(options))
    const store = storage()
    const { values, inputs, outputs } = program
    const wrap = (v: number, data: Elements): OrtTensor =>
      new ort.Tensor(values[v]!.dtype as 'float32', data as Float32Array, values[v]!.shape)
    const run = async (given: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]> => {
      const feeds: Record<string, OrtTensor> = {}
      const fetches: Record<string, OrtTensor> = {}
      given.forEach(({ dataId }, i) => {
        const data = store.peek(dataId) ?? (tf.engine().readSync(dataId) as Elements)
        feeds[inputName(i)] = wrap(inputs[i]!, data)
      })
      const made = outputs.map((v, i) => {
        const data = store.take(values[v]!)
        fetches[outputName(i)] = wrap(v, data)
        return data
      })
      await session.run(feeds, fetches)
      return made.map((data, i) => {
        const { shape, dtype } = values[outputs[i]!]!
        return tf.engine().makeTensor(data, [...shape], dtype, store)
      })
    }
    return { run, dispose: () => session.release() }
  }

/** Loads the runtime; throws what the import throws. */
export const loadOnnxruntime = async (): Promise<Loaded & { readonly compiler: Compiler }> => {
  const [imported, { availableParallelism }] = await Promise.all([import('onnxruntime-node'), import('node:os')])
  const ort = ((imported as { readonly default?: Ort }).default ?? imported) as Ort
  await loadWasm()
  const threads = availableParallelism()
  const version = ort.env.versions.node ?? ort.env.versions.common
  return { version, threads, device: 'CPU', compiler: onnxCompiler(ort, { threads }) }
}
