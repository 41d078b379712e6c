/**
 * The error of an operation before an engine is chosen. TensorFlow.js chooses a backend in one place, the getter
 * `backend` of its engine; eager operations, new tensors and traces all come through it.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError } from './error.js'

const explained = new WeakSet<object>()

/** Replaces TensorFlow.js's messages "no backend" and "backend not yet initialized" by an error that says what to do. */
export const explainMissingEngine = (): void => {
  const engine = tf.engine()
  if (explained.has(engine)) return
  explained.add(engine)
  const { get } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(engine), 'backend')!
  Object.defineProperty(engine, 'backend', {
    configurable: true,
    get() {
      try {
        return get!.call(this) as tf.KernelBackend
      } catch {
        throw new DiffeoException(engineError('engine', 'one that is ready', 'none', 'call `await ready()` first'))
      }
    },
  })
}

/**
 * Throws if there is no engine that computes.
 *
 * @throws DiffeoException that asks for `await ready()`
 */
export const requireEngine = (): void => {
  void tf.engine().backend
}
