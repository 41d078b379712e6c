/**
 * The backends of TensorFlow.js that need Node: TensorFlow's C library through tfjs-node, and WebGPU through Dawn.
 *
 * @module
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import type { EngineOptions } from '../options.js'
import { type Gpu, type Loaded, quietly, select, startWebgpu } from './backend.js'

/** Functions of `node:util` that Node 23 removed and tfjs-node 4.22 calls. */
const removedUtils = {
  isNullOrUndefined: (x: unknown): boolean => x === null || x === undefined,
  isArray: Array.isArray,
}

interface TfjsNode {
  readonly version?: Readonly<Record<string, string>>
}

/** Of a package that the user has installed, and that the compiler need not see. */
export const loadTfjsNode = async (specifier: string): Promise<Loaded> => {
  for (const [name, f] of Object.entries(removedUtils)) if (!(name in util)) Object.assign(util, { [name]: f })
  const require = createRequire(import.meta.url)
  // With a core of its own it warns that the platform is set twice.
  const module = quietly(() => require(specifier) as TfjsNode)
  await select('tensorflow')
  const version = module.version?.['tfjs-node'] ?? 'of unknown version'
  const backend = tf.backend() as tf.KernelBackend & { readonly isUsingGpuDevice?: boolean }
  return { version, threads: availableParallelism(), device: backend.isUsingGpuDevice ? 'GPU' : 'CPU' }
}

/** Imports a package that the user may have installed, and that the compiler and bundlers need not see. */
const importOptional = (specifier: string): Promise<unknown> => import(specifier)

/** The WebGPU of Deno, or that of the package `webgpu`, put where a browser has it. */
const provideGpu = async (): Promise<Gpu | undefined> => {
  const scope = globalThis as { navigator?: { readonly gpu?: Gpu } }
  if (scope.navigator?.gpu === undefined) {
    const dawn = (await importOptional('webgpu')) as { create: (flags: readonly string[]) => Gpu; globals: object }
    Object.assign(globalThis, dawn.globals)
    scope.navigator ??= {}
    Object.defineProperty(scope.navigator, 'gpu', { value: dawn.create([]), configurable: true })
  }
  return scope.navigator?.gpu
}

/** WebGPU in Node. Values are read asynchronously: a `dataSync` of a result throws. */
export const loadNodeWebgpu = async ({ webgpu }: EngineOptions = {}): Promise<Loaded> =>
  startWebgpu(
    await provideGpu(),
    webgpu ?? (() => importOptional('@tensorflow/tfjs-backend-webgpu')),
    'install a current driver of the graphics card, with Vulkan on Linux (Mesa 22.3, of Debian 12, is too old)',
  )
