/**
 * The error of an operation on a freed tensor. TensorFlow.js looks up the data of every argument in one place: where
 * the backend in use does not hold them, its engine moves them there from the backend that does.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, usageError } from './error.js'

/** How to fix an error about a freed tensor. */
export const FREED = "free a tensor after its last use, and keep a state of fit's events with copyState"

const explained = new WeakSet<object>()

/** Replaces the TypeError of TensorFlow.js for an operation on a freed tensor by an error that says what to do. */
export const explainFreedTensors = (): void => {
  const engine = tf.engine()
  if (explained.has(engine)) return
  explained.add(engine)
  const { moveData, readSync } = engine
  const requireData = (dataId: object): void => {
    if (!engine.state.tensorInfo.has(dataId))
      throw new DiffeoException(usageError('operation', 'tensors with their data', 'one that was freed', FREED))
  }
  engine.moveData = (backend, dataId) => {
    requireData(dataId)
    moveData.call(engine, backend, dataId)
  }
  engine.readSync = (dataId) => {
    requireData(dataId)
    return readSync.call(engine, dataId)
  }
}
