/**
 * What runs the arithmetic. An engine is chosen once at start and is then the backend of TensorFlow.js: no other part
 * of the library knows which one it is. Importing the library loads no engine and registers nothing; until one is
 * chosen, by {@link useEngine} or {@link ready} or by the caller's own `@tensorflow/tfjs`, every operation throws a
 * `DiffeoException` that asks for `await ready()` (`missing-engine.ts`).
 *
 * @module
 */

import { loadOnnxruntime } from './onnxruntime/backend.js'
import { type Choice, choiceOf, type EngineName, type Loaders } from './select.js'
import { loadCpu, loadWasm } from './tfjs/backend.js'
import { loadNodeWebgpu, loadTfjsNode } from './tfjs/node.js'

export { describeEngine, type Engine, EngineName } from './select.js'

const loaders: Required<Loaders> = {
  onnxruntime: loadOnnxruntime,
  tensorflow: (options) => import('./tensorflow/backend.js').then(({ loadTensorflow }) => loadTensorflow(options)),
  'tfjs-node-gpu': () => loadTfjsNode('@tensorflow/tfjs-node-gpu'),
  'tfjs-node': () => loadTfjsNode('@tensorflow/tfjs-node'),
  webgpu: loadNodeWebgpu,
  wasm: loadWasm,
  cpu: loadCpu,
}

// WebGPU is left to browsers: in Node its results cannot be read at once
const all = choiceOf(
  loaders,
  (Object.keys(loaders) as readonly EngineName[]).filter((name) => name !== 'webgpu'),
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
export const useEngine: Choice['useEngine'] = all.useEngine

/**
 * {@link useEngine} for a program with no use for an `Either`: `await ready()` before the first tensor.
 *
 * @throws DiffeoException (as a rejection) with the left of {@link useEngine}
 * @example const { name } = await ready() // 'onnxruntime', where it has a binary
 */
export const ready: Choice['ready'] = all.ready
