/**
 * What training makes smaller: a loss for each example, of parameters and a batch. Whatever is random is in the batch, which
 * is a function of the step, so that a run that stops and resumes equals one that never stopped.
 *
 * A flow is trained by maximum likelihood: its loss is −log p(x) in nats, or −log p(x | given).
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import type { Base } from '../distribution/base.js'
import type { ConditionalFlow, Flow } from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { neg, tidy } from '../tensor/ops.js'
import type { Params, Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import type { PerExample } from '../tensor/tensor.js'

/** Likelihoods are reported in bits/dim and nats, other losses as they are. */
export type ObjectiveKind = 'likelihood' | 'loss'

/** A loss of batches `X`. */
export interface Objective<in X, K extends ObjectiveKind = 'loss'> {
  readonly kind: K
  /** What the loss is, for reports: `negative ELBO`. */
  readonly name: string
  /** The names, shapes and roles of the parameters. */
  readonly spec: Spec
  readonly init: (key: Key) => Params
  /** Sets the parameters that depend on the first batch; default: none. */
  readonly start?: (params: Params) => (batch: X) => Params
  /** The loss of each example in training mode, and the parameters with their next statistics. */
  readonly loss: (params: Params) => (batch: X) => readonly [loss: PerExample, params: Params]
  /** The loss of each example in evaluation mode; default: as in training. */
  readonly evaluate?: (params: Params) => (batch: X) => PerExample
  /** Over how many dimensions the loss is a sum: gradients are those of loss / dimensions. Default: 1 */
  readonly dimensions?: number
}

/** An objective whose batches are data with noise. */
export interface NoisyObjective<X, N> extends Objective<N> {
  /** Data with the noise that a key stands for: a pure function. */
  readonly noised: (key: Key, data: X) => N
}

// biome-ignore lint/suspicious/noExplicitAny: batches are both arguments and results, so they have no other top
export type AnyNoisyObjective = NoisyObjective<any, any>

/**
 * What a flow and a conditional flow have in common for training.
 *
 * @internal
 */
export interface FlowOver<X> {
  readonly bijector: { readonly domain: Shape }
  readonly base: Base
  readonly spec: Spec
  readonly init: (key: Key) => Params
  readonly start: (params: Params) => (batch: X) => Params
  readonly train: (params: Params) => (batch: X) => readonly [logProb: PerExample, params: Params]
}

/** What can be trained on batches `X`: an objective, or a flow, which stands for its likelihood. */
export type Trainable<X, K extends ObjectiveKind = ObjectiveKind> = Objective<X, K> | FlowOver<X>

const isFlow = <X, K extends ObjectiveKind>(of: Trainable<X, K>): of is FlowOver<X> =>
  isRecord(of) && 'bijector' in of && 'train' in of

const likelihoods = new WeakMap<object, Objective<never, 'likelihood'>>()
const flows = new WeakMap<object, FlowOver<never>>()

/** The flow whose likelihood an objective is. */
export const flowOf = (
  of: Trainable<never>,
): Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents> | undefined =>
  (isFlow(of) ? of : flows.get(of)) as Flow<Shape, Latents> | undefined

/**
 * −log p(x) in nats, of a conditional flow −log p(x | given): what `fit(flow, …)` makes smaller.
 *
 * @example trainStep(maximumLikelihood(moons), { optimiser: adam(), learningRate: constantRate(1e-3) }) // as trainStep(moons, …)
 */
export const maximumLikelihood = <X>(flow: FlowOver<X>): Objective<X, 'likelihood'> => {
  const known = likelihoods.get(flow)
  if (known !== undefined) return known as Objective<X, 'likelihood'>
  const objective: Objective<X, 'likelihood'> = {
    kind: 'likelihood',
    name: 'negative log-likelihood',
    spec: flow.spec,
    init: flow.init,
    start: flow.start,
    loss: (params) => (batch) =>
      tidy(() => {
        const [logProb, next] = flow.train(params)(batch)
        return [neg(logProb), next] as const
      }),
    dimensions: product(flow.bijector.domain),
  }
  likelihoods.set(flow, objective as Objective<never, 'likelihood'>)
  flows.set(objective, flow)
  return objective
}

/**
 * The objective that something trainable is.
 *
 * @throws DiffeoException if it is neither a flow nor an objective
 */
export const objectiveOf = <X, K extends ObjectiveKind>(
  of: Trainable<X, K>,
  op = 'train',
): Objective<X, ObjectiveKind> => {
  if (isFlow(of)) return maximumLikelihood(of)
  if (isRecord(of) && 'loss' in of && 'spec' in of) return of
  throw new DiffeoException(usageError(op, 'a flow or an objective', shown(of), 'make one: density(shape, layers)'))
}

/**
 * Options, which plain JavaScript may have forgotten.
 *
 * @throws DiffeoException if there are none
 */
export const optionsOf = <O>(op: string, options: O): O => {
  if (isRecord(options)) return options
  throw new DiffeoException(usageError(op, 'options', shown(options), 'pass { optimiser, learningRate, … }'))
}

const isRecord = (u: unknown): u is object => typeof u === 'object' && u !== null
