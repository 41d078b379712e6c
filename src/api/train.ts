/**
 * `train(density, data)`: a model from a flow and data, with the engine chosen, a validation held out and the best
 * parameters kept. It runs `fit` with averaged parameters and a cosine learning-rate schedule.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Called, FnOf, LatentsAt, Placed } from '../../types/check.js'
import type { Shape, ShapeFn } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import { atShape } from '../bijector/bijector.js'
import { contextOf } from '../bijector/from-runs.js'
import type { Given, Layer } from '../bijector/layer.js'
import type { ImageSet, ImageShape } from '../data/image-set.js'
import { type Base, standardNormal } from '../distribution/base.js'
import {
  type AnyConditionalFlow,
  type AnyFlow,
  type ConditionalFlow,
  type Flow,
  type FlowOf,
  flow,
} from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { atLeastZero, count, type Option, positive, wrongOption } from '../tensor/options.js'
import { disposeParams, type Params } from '../tensor/params.js'
import { foldIn, type Key } from '../tensor/random.js'
import { fit, type Stepped, type Validated } from '../train/fit.js'
import { type FreezeOption, frozenBy } from '../train/freeze.js'
import { type AnyNoisyObjective, type ObjectiveKind, objectiveOf, type Trainable } from '../train/objective.js'
import { adam, averaged, constantRate, cosineRate } from '../train/optimiser.js'
import {
  averageParams,
  checkState,
  copyParams,
  copyState,
  disposeState,
  startTraining,
  type TrainState,
} from '../train/state.js'
import type { Variational } from '../train/variational.js'
import { tensorsIn } from '../tree.js'
import { type Batched, batchesOf, type Indexed, type Pairs, type Sampler, withNoise } from './data.js'
import {
  type HistoryEntry,
  type ModelOf,
  modelOf,
  type Resumes,
  refuseOtherFlow,
  type Trained,
  withKey,
} from './model.js'
import type { Rows } from './rows.js'

/**
 * The density of layers at a shape: `flow(atShape(shape, layers, { given }), base)`.
 *
 * @example
 * const moons = density([2], realNvpVector()) // Flow<[2], [2]>
 * const digits = density([28, 28, 1], realNvp(), standardNormal, { given: [10] }) // conditional on one of ten classes
 * @throws DiffeoException if a size known only at run time does not fit
 */
export const density = <const S extends Shape, L, const C extends Shape | undefined = undefined, D = Base>(
  shape: S,
  layers: Placed<'density', L, S, C> & L,
  base?: Called<D, 'density', 'a base'> & Base & D,
  { given }: { readonly given?: C } = {},
): FlowOf<Given<S, C, LatentsAt<FnOf<L>, S, C>>, S, LatentsAt<FnOf<L>, S, C>> => {
  // the types of all three are conditional on the type parameters; the compiler resolves them only where `density` is called
  const at = atShape<Shape, Layer<ShapeFn>, Shape | undefined>(shape, layers as Layer<ShapeFn>, {
    given: given as Shape,
  })
  return flow(at as never, base ?? standardNormal) as never
}

/**
 * What `train` takes for a flow: rows, images, a source of draws, or an objective that makes its own. For a conditional
 * flow: pairs, a source of pairs, or images with labels, whose one-hot rows are the contexts.
 */
export type DataOf<L> =
  L extends ConditionalFlow<infer A, infer C, infer _B>
    ? Pairs<A, C> | Sampler<Pairs<A, C>> | Indexed<Pairs<A, C>> | (A extends ImageShape ? ImageSet<A> : never)
    : L extends Flow<infer A, infer _B>
      ? Rows<A> | Sampler<Rows<A>> | Indexed<Rows<A>> | Variational | (A extends ImageShape ? ImageSet<A> : never)
      : never

/** The argument of `onProgress`, after each step. */
export interface Progress {
  readonly step: number
  /** Undefined if only `minutes` is given. */
  readonly steps?: number
  /** The mean loss of the batch, in nats for a likelihood. */
  readonly loss: number
  /** The mean loss of the last validation. */
  readonly validation?: number
}

export interface TrainOptions extends FreezeOption {
  readonly key: Key
  /** Default: 2000, unless `epochs` or `minutes` are given. */
  readonly steps?: number
  /** Passes over the data, if they are finite. */
  readonly epochs?: number
  readonly minutes?: number
  /** Examples in a step. Default: 256, or all if there are fewer */
  readonly batch?: number
  /** The highest learning rate. It falls to 0 as a cosine, or is constant if only `minutes` is given. Default: 2e-3 */
  readonly learningRate?: number
  /** The share of the data to validate with; 0 for none. Default: 0.1 */
  readonly validation?: number
  /** Stop after so many validations without a better one; there are about 20 in all. Default: never */
  readonly patience?: number
  /** What to minimise, from the density: `flowMatching`. Default: the negative log-likelihood */
  readonly objective?: (density: never) => AnyNoisyObjective
  /** Resume from the state of a model that was trained with the same options. */
  readonly from?: TrainState
  readonly onProgress?: (progress: Progress) => void
  readonly signal?: AbortSignal
}

/** A line of progress. */
export interface ProgressLine {
  readonly update: (progress: Progress) => void
  readonly stop: () => void
}

/** The parts of `train` that differ between Node and browsers. */
export interface Host {
  /** Chooses an engine, unless one is in use already. */
  readonly ready: () => Promise<unknown>
  /** Shows progress if there is no `onProgress`. */
  readonly show?: (steps: number | undefined) => ProgressLine
}

/**
 * The optimiser of every model.
 *
 * @internal
 */
export const optimiser = averaged(adam())

/** The default number of steps. */
const DEFAULT_STEPS = 2000
/** How many validations a training has. */
const VALIDATIONS = 20

const expectOptions = (o: TrainOptions): void => {
  const ifSet = <T>(value: T | undefined, f: (value: T) => Option): readonly Option[] =>
    value === undefined ? [] : [f(value)]
  const wrong = wrongOption('train', [
    ...ifSet(o.steps, (v) => count('steps', v)),
    ...ifSet(o.epochs, (v) => count('epochs', v)),
    ...ifSet(o.minutes, (v) => positive('number of minutes', v)),
    ...ifSet(o.batch, (v) => count('examples in a batch', v)),
    ...ifSet(o.learningRate, (v) => positive('learning rate', v)),
    ...ifSet(o.patience, (v) => count('validations', v)),
    ...ifSet(o.validation, (v) => {
      const [expected, fits, got] = atLeastZero('validation share', v)
      return [`${expected} and below 1`, fits && v < 1, got] as const
    }),
  ])
  if (wrong !== undefined) throw new DiffeoException(wrong)
}

/** The number of steps of a training; undefined if only `minutes` is given. */
const stepsOf = ({ steps, epochs, minutes }: TrainOptions, perEpoch: number | undefined): number | undefined => {
  if (epochs !== undefined && perEpoch === undefined)
    throw new DiffeoException(usageError('train', 'steps or minutes for endless data', 'epochs'))
  if (steps !== undefined) return steps
  if (epochs !== undefined) return epochs * perEpoch!
  return minutes === undefined ? DEFAULT_STEPS : undefined
}

/** The loss of a step or of a validation, in nats for a likelihood. */
const lossIn = (event: Stepped<ObjectiveKind> | Validated<ObjectiveKind>): number =>
  'nats' in event ? event.nats : 'loss' in event ? event.loss : event.mean

/** `train` for Node or for browsers. */
export const trainIn =
  ({ ready, show }: Host) =>
  async <L extends AnyFlow | AnyConditionalFlow, S = TrainState>(
    density: L,
    data: DataOf<L>,
    options: TrainOptions & { readonly from?: Resumes<L, S> & S },
  ): Promise<ModelOf<L>> => {
    expectKind('train', 'a density', density, ['a density'], 'make one: density(shape, layers)')
    expectOptions(withKey('train', options))
    const { key, batch: size = 256, validation: share = 0.1, from } = options
    if (from !== undefined) checkState('train', density.spec, from)
    frozenBy(density.spec, options.freeze)
    await ready()
    if (from !== undefined) refuseOtherFlow(density, from)
    const parts = { shape: density.bijector.domain, context: contextOf(density.bijector) }
    const likelihood = await batchesOf(parts, data, { key: foldIn(key, 1), size, validation: share })
    const batched = options.objective
      ? withNoise(options.objective(density as never), likelihood, foldIn(key, 2))
      : likelihood
    const steps = stepsOf(options, batched.perEpoch)
    // a flow means its likelihood; batches have another type for each
    const trainable = (batched.objective ?? density) as Trainable<unknown>
    const start = from === undefined ? await begin(trainable, foldIn(key, 0), batched.batch) : copyState(from)
    const line =
      options.onProgress === undefined ? show?.(steps) : { update: options.onProgress, stop: () => undefined }
    try {
      return modelOf(density, await trainedFrom(start, trainable, batched, steps, options, line))
    } finally {
      line?.stop()
      disposeState(start)
    }
  }

/** Trains from a state with an average of the parameters, and keeps the best validated. */
const trainedFrom = async (
  start: TrainState,
  trainable: Trainable<unknown>,
  { batch, validation }: Batched,
  steps: number | undefined,
  { learningRate = 2e-3, minutes, patience, signal, freeze }: TrainOptions,
  line: ProgressLine | undefined,
): Promise<Trained> => {
  const every = Math.max(1, Math.ceil((steps ?? DEFAULT_STEPS) / VALIDATIONS))
  const average = (state: TrainState): Params => averageParams(objectiveOf(trainable), optimiser, state)
  const history: HistoryEntry[] = []
  const events = fit(trainable, start, {
    optimiser,
    learningRate: steps === undefined ? constantRate(learningRate) : cosineRate(learningRate, steps),
    batch,
    ...(steps !== undefined && { steps }),
    ...(minutes !== undefined && { seconds: minutes * 60 }),
    ...(signal && { signal }),
    ...(freeze && { freeze }),
    ...(validation && {
      validation: {
        batches: validation,
        every,
        params: average,
        keepBest: true,
        ...(patience !== undefined && { patience }),
      },
    }),
  })
  for await (const event of events) {
    if (event._tag === 'Stopped') {
      const { state, best: kept, error } = event
      if (error === undefined) {
        const best = kept && history.find(({ step }) => step === kept.step)
        return { params: kept?.params ?? copyParams(average(state)), state, history, ...(best && { best }) }
      }
      disposeState(state)
      if (kept !== undefined) disposeParams(kept.params)
      throw new DiffeoException(error)
    }
    if (event._tag !== 'Stepped' && event._tag !== 'Validated') continue
    const { step } = event.state
    const entry = { step, loss: lossIn(event) }
    if (event._tag === 'Validated') {
      history.push(entry)
    } else {
      if (validation === undefined && step % every === 0) history.push(entry)
      const validated = validation && history.at(-1)?.loss
      line?.update({
        ...entry,
        ...(steps !== undefined && { steps }),
        ...(validated !== undefined && { validation: validated }),
      })
    }
  }
  throw new Error('fit ended without Stopped')
}

const begin = async (of: Trainable<unknown>, key: Key, batch: Batched['batch']): Promise<TrainState> => {
  const first = await batch(0)
  try {
    return await startTraining(of, optimiser, key, first)
  } finally {
    tf.dispose([...tensorsIn(first)])
  }
}
