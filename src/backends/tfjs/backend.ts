/**
 * How each engine is loaded. A backend registers itself when its module is imported, so each is imported only when it
 * is chosen. Every loader throws what the import throws.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError, NotInstalled } from '../../error.js'
import type { EngineOptions, Precision } from '../options.js'
import { registerEmpty } from './empty.js'
import { placeWasmFiles, wasmFileOf } from './wasm-files.js'
import { registerWasmKernels } from './wasm-kernels.js'
import { registerWebgpuKernels } from './webgpu-kernels.js'

/** What an engine says of itself once it is loaded. */
export interface Loaded {
  readonly version: string
  readonly threads: number
  readonly device: string
  /** Where it is not float32. */
  readonly precision?: Precision
  /** What the user should know about the choice, for instance that a better engine is installed but broken. */
  readonly note?: string
}

/** Makes a backend that is registered the one in use. */
export const select = async (backend: string): Promise<void> => {
  if (!(await tf.setBackend(backend))) throw new Error(`the backend '${backend}' did not start`)
}

/** Runs `f` without the advice that TensorFlow.js prints on the console. */
export const quietly = <A>(f: () => A): A => {
  const before = tf.env().getBool('PROD')
  tf.env().set('PROD', true)
  try {
    return f()
  } finally {
    tf.env().set('PROD', before)
  }
}

/** Plain JavaScript: slow, exact, everywhere. */
export const loadCpu = async (): Promise<Loaded> => {
  const { version_cpu } = await import('@tensorflow/tfjs-backend-cpu')
  await select('cpu')
  registerEmpty('cpu')
  // The first tensor on this backend prints an advertisement for another.
  quietly(() => tf.scalar(0).dispose())
  return { version: version_cpu, threads: 1, device: 'CPU, JavaScript' }
}

/** WebAssembly. Its binary lies beside its module, and Node reads it from there; no network. */
export const loadWasm = async ({ wasm }: EngineOptions = {}): Promise<Loaded> => {
  const backend = await import('@tensorflow/tfjs-backend-wasm')
  const { getThreadsCount, version_wasm } = backend
  if (wasm !== undefined) placeWasmFiles(backend, wasm)
  if (!(await tf.setBackend('wasm')))
    throw new DiffeoException(
      engineError(
        'engine wasm',
        `the file ${await wasmFileOf(wasm)}`,
        'none that loads',
        "serve it and pass its URL: ready('wasm', { wasm: url })",
      ),
    )
  registerWasmKernels()
  registerEmpty('wasm')
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')
  return { version: version_wasm, threads: getThreadsCount(), device: simd ? 'CPU, SIMD' : 'CPU, no SIMD' }
}

/** What is used of WebGPU, whose types are not among those of Node. */
export interface Gpu {
  readonly requestAdapter: (options: object) => Promise<{ readonly info?: Readonly<Record<string, unknown>> } | null>
}

/** Starts WebGPU on the adapter of `gpu`; `fix` says what to do where there is none. */
export const startWebgpu = async (
  gpu: Gpu | undefined,
  importBackend: () => Promise<unknown>,
  fix: string,
): Promise<Loaded> => {
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter)
    throw new DiffeoException(
      engineError('engine webgpu', 'an adapter', gpu === undefined ? 'a browser without WebGPU' : 'none', fix),
    )
  await importBackend()
  // constants are computed here, where they can be read at once
  await import('@tensorflow/tfjs-backend-cpu')
  await select('webgpu')
  registerWebgpuKernels()
  const { vendor, architecture } = adapter.info ?? {}
  return { version: tf.version_core, threads: 1, device: ['GPU', vendor, architecture].filter(Boolean).join(' ') }
}

/** WebGPU in a browser. The page imports the backend: a bundler would refuse a package that is not installed. */
export const loadWebgpu = async ({ webgpu }: EngineOptions = {}): Promise<Loaded> => {
  if (webgpu === undefined)
    throw new NotInstalled(
      engineError(
        'engine webgpu',
        'its backend as an option',
        'none',
        "pass { webgpu: () => import('@tensorflow/tfjs-backend-webgpu') }",
      ),
    )
  const { gpu } = (globalThis as { navigator?: { readonly gpu?: Gpu } }).navigator ?? {}
  const fix = "use a current browser, with WebGPU and graphics acceleration on, or the engine 'wasm'"
  return startWebgpu(gpu, webgpu, fix)
}
