/**
 * What needs no files and none of Node's modules: all that a flow, its training and its evaluation are made of.
 *
 * @module
 */
export type * from '../types/check.js'
export type { Add, Even, Half, Mul, Product } from '../types/nat.js'
export type * from '../types/shape.js'
export type { Pairs, Sampler } from './api/data.js'
export type {
  ConditionalModel,
  HistoryEntry,
  Model,
  ModelFunctions,
  ModelOf,
  ModelState,
  SampleOptions,
  Saveable,
} from './api/model.js'
export { type OnnxFunctions, onnxFunctions } from './api/onnx.js'
export type { Numbers, Rows } from './api/rows.js'
export { type DataOf, density, type Progress, type TrainOptions } from './api/train.js'
export {
  type OnnxFunction,
  type OnnxInput,
  type OnnxSampler,
  toOnnx,
  toOnnxSampler,
} from './backends/onnxruntime/export.js'
export { type EngineOptions, Precision } from './backends/options.js'
export type { Loaded } from './backends/tfjs/backend.js'
export * from './bijector/autoregressive.js'
export * from './bijector/bijector.js'
export * from './bijector/compose.js'
export * from './bijector/coupling.js'
export * from './bijector/dequantise.js'
export * as Diffeo from './bijector/diffeo.js'
export * from './bijector/elementwise.js'
export * from './bijector/elementwise-of.js'
export * from './bijector/embed.js'
export * from './bijector/layer.js'
export { channelwise, checkerboard, halves, type KindOf, type Mask, mask, type Split } from './bijector/mask.js'
export * from './bijector/norm.js'
export * from './bijector/rearrange.js'
export * from './bijector/reverse.js'
export type { Interval } from './bijector/support.js'
export type { EachRow, Elementwise, Theta, Transformer } from './bijector/transformer.js'
export * as Transformers from './bijector/transformers/index.js'
export {
  bytes,
  type Call,
  describe,
  type Elements,
  flops,
  type Program,
  type ProgramType,
  type ValueInfo,
} from './compiler/program.js'
export * from './data/batches.js'
export * from './data/image-set.js'
export * from './data/planes.js'
export * from './data/split.js'
export * from './data/toys.js'
export {
  type Base,
  type DrawOptions,
  drawBase,
  drawNoise,
  type Noise,
  standardLogistic,
  standardNormal,
  uniformBox,
} from './distribution/base.js'
export * from './distribution/compiled.js'
export {
  baseParams,
  bijectorParams,
  type ConditionalFlow,
  type Flow,
  type FlowOf,
  flow,
  toBitsPerDim,
  type WithGiven,
} from './distribution/flow.js'
export { diagonalGaussian, fullGaussian } from './distribution/gaussian.js'
export { independent } from './distribution/independent.js'
export { classMixture, gaussianMixture } from './distribution/mixture.js'
export { studentT } from './distribution/student.js'
export * from './error.js'
export * from './image/grid.js'
export * from './image/heatmap.js'
export { type JitOptions, type Jitted, jit } from './jit.js'
export * from './models/realNvp.js'
export type { Norm } from './nn/conv.js'
export { defaultNet } from './nn/default.js'
export * from './nn/mlp.js'
export type { Module, Net } from './nn/net.js'
export { type ConvNetOptions, convNet, type ResnetOptions, resnet } from './nn/resnet.js'
export * as T from './tensor/ops.js'
export * from './tensor/params.js'
export * from './tensor/random.js'
export {
  type AnyTensor,
  type BatchOf,
  batch,
  type DType,
  type PerExample,
  refine,
  sizes,
  type Tensor,
  tensor,
  unwrap,
  values,
} from './tensor/tensor.js'
export type { MaybeLater } from './train/ahead.js'
export {
  type Batches,
  type Evaluation,
  type EvaluationProgress,
  evaluate,
  type Figures,
  type Gap,
  summarise,
  trainingGap,
} from './train/evaluate.js'
export {
  type Compiled,
  type Compiling,
  type FitEvent,
  type FitOptions,
  fit,
  type Stepped,
  type Stopped,
  type Validated,
} from './train/fit.js'
export { dynamicLossScale, type LossScale, type LossScaling } from './train/lossScale.js'
export { maximumLikelihood, type Objective, type ObjectiveKind, type Trainable } from './train/objective.js'
export * from './train/optimiser.js'
export { decodeSafetensors, encodeSafetensors, type RawTensor, type Safetensors } from './train/safetensors.js'
export {
  averageParams,
  copyState,
  disposeState,
  startTraining,
  type TrainState,
} from './train/state.js'
export { type StepMetrics, type StepOptions, type Stepper, step } from './train/step.js'
export * from './train/variational.js'
