/**
 * The engines of browsers, best first.
 *
 * @module
 */
import { type Choice, choiceOf } from './select.js'
import { loadCpu, loadWasm, loadWebgpu } from './tfjs/backend.js'

export { describeEngine, type Engine, EngineName } from './select.js'

const own = choiceOf({ webgpu: loadWebgpu, wasm: loadWasm, cpu: loadCpu }, ['webgpu', 'wasm', 'cpu'])

/** Chooses the engine: the one named, or with `'auto'` the best found. */
export const useEngine: Choice['useEngine'] = own.useEngine

/** {@link useEngine} for a program with no use for an `Either`: `await ready()` before the first tensor. */
export const ready: Choice['ready'] = own.ready
