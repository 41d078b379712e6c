/**
 * TensorFlow's C library through tfjs-node.
 *
 * @module
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { type Loaded, quietly, select } from './backend.js'

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
