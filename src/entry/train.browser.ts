/**
 * `diffeo/train` in browsers: the parts of a training, without checkpoints.
 *
 * @module
 */

import { throwing } from '../throwing.js'
import * as safetensors from '../train/safetensors.js'

export type { MaybeLater } from '../train/ahead.js'
export { anomalyThreshold, areaUnderRoc, typicality } from '../train/anomaly.js'
export {
  type Batches,
  type Evaluation,
  type EvaluationProgress,
  evaluate,
  type Figures,
  type Gap,
  summarise,
  trainingGap,
} from '../train/evaluate.js'
export {
  type Best,
  type Compiled,
  type Compiling,
  type FitEvent,
  type FitOptions,
  fit,
  type Stepped,
  type Stopped,
  type Validated,
} from '../train/fit.js'
export { dynamicLossScale, type LossScale, type LossScaling } from '../train/lossScale.js'
export * from '../train/optimiser.js'
export type { RawTensor, Safetensors } from '../train/safetensors.js'
export { averageParams, copyState, disposeState, startTraining, type TrainState } from '../train/state.js'
export { type StepMetrics, type StepOptions, type Stepper, trainStep } from '../train/step.js'
export { paretoK } from '../train/variational.js'

/**
 * The bytes of a safetensors file. The same contents in the same order give the same bytes.
 *
 * @throws DiffeoException if a tensor is called `__metadata__` or its data do not fill its shape
 * @example
 * encodeSafetensors({ tensors: new Map([['w', { shape: [2], data: Float32Array.of(1, 2) }]]), metadata: { by: 'me' } })
 */
export const encodeSafetensors = throwing(safetensors.encodeSafetensors)

/**
 * Reads the bytes of a safetensors file. Never allocates by what the header claims: at most a copy of the file. The result
 * shares no memory with `bytes`. `name` is the file's name, for the sentence of a refusal.
 *
 * @throws DiffeoException if it is not such a file, is cut or damaged, or holds another type than F32
 * @example decodeSafetensors(file, 'w.safetensors') // { tensors: Map { 'w' => { shape: [2], … } }, … }
 */
export const decodeSafetensors = throwing((bytes: Uint8Array, name: string) =>
  safetensors.decodeSafetensors(name)(bytes),
)
