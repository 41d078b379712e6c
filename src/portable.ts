/**
 * `diffeo` without files: the algebra, base distributions, premade flows and their training.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { Shape, ShapeFn } from '../types/shape.js'
import * as core from './bijector/layer.js'
import { asError } from './error.js'

export type * from '../types/check.js'
export type * from '../types/rearrange.js'
export type * from '../types/shape.js'
export type { Indexed, Pairs, Sampler } from './api/data.js'
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
export type { Numbers, Rows } from './api/rows.js'
export { type DataOf, density, type Progress, type TrainOptions } from './api/train.js'
export * from './bijector/activations.js'
export * from './bijector/autoregressive.js'
export * from './bijector/bijector.js'
export * from './bijector/cdf.js'
export { columns } from './bijector/columns.js'
export * from './bijector/compose.js'
export * from './bijector/constrained.js'
export { type ContinuousOptions, continuous } from './bijector/continuous.js'
export * from './bijector/coupling.js'
export * from './bijector/dequantise.js'
export * as Diffeo from './bijector/diffeo.js'
export * from './bijector/elementwise.js'
export * from './bijector/elementwise-of.js'
export * from './bijector/embed.js'
export * from './bijector/exponential-linear.js'
export * from './bijector/householder.js'
export type {
  AnyBijector,
  AnyConditional,
  AtShape,
  Bijector,
  Conditional,
  Given,
  Layer,
  Trained,
} from './bijector/layer.js'
export * from './bijector/low-rank-linear.js'
export * from './bijector/lu-linear.js'
export { channelwise, checkerboard, halves, type KindOf, type Mask, mask, type Split } from './bijector/mask.js'
export * from './bijector/norm.js'
export { planar } from './bijector/planar.js'
export { radial } from './bijector/radial.js'
export * from './bijector/rearrange.js'
export { type ResidualOptions, residual } from './bijector/residual.js'
export * from './bijector/reverse.js'
export type { Interval } from './bijector/support.js'
export * from './bijector/sylvester.js'
export type { EachRow, Elementwise, Theta, Transformer } from './bijector/transformer.js'
export * as Transformers from './bijector/transformers/index.js'
export * from './bijector/wavelets.js'
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
export { type DiffeoError, DiffeoException, describeError, shapeError, usageError } from './error.js'
export * from './models/autoregressive.js'
export { cnf } from './models/cnf.js'
export { type FlowPlusPlusOptions, flowPlusPlus } from './models/flowPlusPlus.js'
export * from './models/gaussianization.js'
export * from './models/glow.js'
export { type JetOptions, jet, type SqueezedTimes } from './models/jet.js'
export * from './models/realNvp.js'
export { type ResidualFlowOptions, residualFlow } from './models/residualFlow.js'
export type { Norm } from './nn/conv.js'
export { defaultNet } from './nn/default.js'
export * from './nn/mlp.js'
export { type EventOf, type Module, type Net, type NetDefinition, net } from './nn/net.js'
export { type ConvNetOptions, convNet, type ResnetOptions, resnet } from './nn/resnet.js'
export { type VitOptions, vit } from './nn/vit.js'
export { type Key, key } from './tensor/random.js'
export { flowMatching, type Matched } from './train/flow-matching.js'
export {
  type AnyNoisyObjective,
  maximumLikelihood,
  type NoisyObjective,
  type Objective,
  type ObjectiveKind,
  type Trainable,
} from './train/objective.js'
export {
  evaluateVariational,
  importanceWeighted,
  type LogDensity,
  type NoiseBatch,
  reverseKl,
  type Variational,
  type VariationalEvaluation,
} from './train/variational.js'

/**
 * A layer from its rule: the bijector at each event shape. To refuse a shape, throw a `DiffeoException`. With the shape of a
 * context, a rule may return a conditional bijector.
 *
 * @example
 * const negate = layer<Same>('negate', (shape) =>
 *   bijector({ name: 'negate', domain: shape, codomain: shape, spec: {},
 *     forward: (_, x) => [T.neg(x), T.zeroPerExample(x)],
 *     inverse: (_, z) => [T.neg(z), T.zeroPerExample(z)],
 *   }),
 * )
 */
export const layer = <F extends ShapeFn>(
  name: string,
  at: (shape: Shape, given?: Shape) => core.AnyBijector | core.AnyConditional,
): core.Layer<F> => core.layer<F>(name, (shape, given) => E.tryCatch(() => at(shape, given), asError))
