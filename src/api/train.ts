/**
 * `train(density, data)`: a model from a flow and data, with the engine chosen, a validation held out and the best
 * parameters kept. What it does is `fit`, with an average of the parameters and a learning rate that falls as a cosine.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { LatentsAt, Refusal } from '../../types/check.js'
import type { Shape, ShapeFn } from '../../types/shape.js'
import { expectKind } from '../bijector/arguments.js'
import { on } from '../bijector/bijector.js'
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
import { disposeParams, mapLeaves, type Params } from '../tensor/params.js'
import { foldIn, type Key } from '../tensor/random.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { fit, type Stopped } from '../train/fit.js'
import type { ObjectiveKind, Trainable } from '../train/objective.js'
import { adam, averaged, constantRate, cosineRate } from '../train/optimiser.js'
import { averageParams, copyState, disposeState, startTraining, type TrainState } from '../train/state.js'
import type { Variational } from '../train/variational.js'
import { tensorsIn } from '../tree.js'
import { type Batched, batchesOf, type Pairs, type Sampler } from './data.js'
import { type HistoryEntry, type ModelOf, modelOf, withKey } from './model.js'
import type { Rows } from './rows.js'

/**
 * The density of layers at a shape: `flow(on(shape, layers, { given }), base)`.
 *
 * @example
 * const moons = density([2], realNvpVector()) // Flow<[2], [2]>
 * const digits = density([28, 28, 1], realNvp(), standardNormal, { given: [10] }) // conditional on one of ten classes
 * @throws DiffeoException if a size known only at run time does not fit
 */
export const density = <const S extends Shape, F extends ShapeFn, const C extends Shape | undefined = undefined>(
  shape: S,
  layers: Layer<F> & Refusal<F, S, C>,
  base: Base = standardNormal,
  { given }: { readonly given?: C } = {},
): FlowOf<Given<S, C, LatentsAt<F, S, C>>, S, LatentsAt<F, S, C>> => {
  // the types of all three are conditional on the type parameters; the compiler resolves them only where `density` is called
  const at = on<Shape, ShapeFn, Shape | undefined>(shape, layers as Layer<ShapeFn>, { given: given as Shape })
  return flow(at as never, base) as never
}

/**
 * What `train` takes for a flow: rows, images, a source of draws, or an objective that makes its own. For a conditional
 * flow: pairs, a source of pairs, or images with labels, whose one-hot rows are the contexts.
 */
export type DataOf<L> =
  L extends ConditionalFlow<infer A, infer C, infer _B>
    ? Pairs<A, C> | Sampler<Pairs<A, C>> | (A extends ImageShape ? ImageSet<A> : never)
    : L extends Flow<infer A, infer _B>
      ? Rows<A> | Sampler<Rows<A>> | Variational | (A extends ImageShape ? ImageSet<A> : never)
      : never

/** The argument of `onProgress`, after each step. */
export interface Progress {
  readonly step: number
  /** Undefined where minutes decide. */
  readonly steps?: number
  /** The mean loss of the batch, in nats for a likelihood. */
  readonly loss: number
  /** The mean loss of the last validation. */
  readonly validation?: number
}

export interface TrainOptions {
  readonly key: Key
  /** Default: 2000, unless `epochs` or `minutes` are given. */
  readonly steps?: number
  /** Times through the data, for data that have an end. */
  readonly epochs?: number
  readonly minutes?: number
  /** Examples in a step. Default: 256, or all if there are fewer */
  readonly batch?: number
  /** The highest learning rate, which falls to 0 as a cosine, or stays if minutes decide. Default: 2e-3 */
  readonly learningRate?: number
  /** The share of the data to validate with; 0 for none. Default: 0.1 */
  readonly validation?: number
  /** Stop after so many validations without a better one; there are about 20 in all. Default: never */
  readonly patience?: number
  /** Go on from the state of a model that was trained with the same options. */
  readonly from?: TrainState
  readonly onProgress?: (progress: Progress) => void
  readonly signal?: AbortSignal
}

/** What `train` needs from where it runs. */
export interface Host {
  /** Chooses an engine if there is none yet. */
  readonly ready: () => Promise<unknown>
  /** Shows progress where there is no `onProgress`. */
  readonly show?: () => { readonly hear: (progress: Progress) => void; readonly end: () => void }
}

const optimiser = averaged(adam())

const expectOptions = (o: TrainOptions): void => {
  const given = <T>(value: T | undefined, f: (value: T) => Option): readonly Option[] =>
    value === undefined ? [] : [f(value)]
  const wrong = wrongOption('train', [
    ...given(o.steps, (v) => count('steps', v)),
    ...given(o.epochs, (v) => count('epochs', v)),
    ...given(o.minutes, (v) => positive('number of minutes', v)),
    ...given(o.batch, (v) => count('examples in a batch', v)),
    ...given(o.learningRate, (v) => positive('learning rate', v)),
    ...given(o.patience, (v) => count('validations', v)),
    ...given(o.validation, (v) => {
      const [expected, fits, got] = atLeastZero('validation share', v)
      return [`${expected} and below 1`, fits && v < 1, got] as const
    }),
  ])
  if (wrong !== undefined) throw new DiffeoException(wrong)
}

/** Parameters in tensors of their own. */
const copied = (params: Params): Params =>
  mapLeaves<AnyTensor, AnyTensor>(params, (leaf) => trust<Shape>(tf.clone(unwrap(leaf))))

const isObjective = (data: unknown): data is Variational =>
  typeof data === 'object' && data !== null && 'draw' in data && 'loss' in data

/** `train` for a place to run in. */
export const trainIn =
  ({ ready, show }: Host) =>
  async <L extends AnyFlow | AnyConditionalFlow>(
    of: L,
    data: DataOf<L>,
    options: TrainOptions,
  ): Promise<ModelOf<L>> => {
    expectKind('train', 'a density', of, ['a density'], 'make one: density(shape, layers)')
    expectOptions(withKey('train', options))
    await ready()
    const { key, batch: size = 256, validation: share = 0.1, learningRate = 2e-3, from, patience, signal } = options
    const { batch, validation, perEpoch }: Batched = isObjective(data)
      ? {
          batch: (step) => data.draw(foldIn(foldIn(key, 1), step), size),
          ...(share > 0 && { validation: { count: 1, at: () => data.draw(foldIn(key, 2), 1000) } }),
        }
      : batchesOf(
          { shape: of.bijector.domain, context: 'context' in of.bijector ? of.bijector.context : undefined },
          data,
          { key: foldIn(key, 1), size, validation: share },
        )
    if (options.epochs !== undefined && perEpoch === undefined)
      throw new DiffeoException(usageError('train', 'steps or minutes for endless data', 'epochs'))
    const isTimed = options.steps === undefined && options.epochs === undefined && options.minutes !== undefined
    const steps = isTimed
      ? undefined
      : (options.steps ?? (options.epochs === undefined ? 2000 : options.epochs * perEpoch!))
    const every = Math.max(1, Math.ceil((steps ?? 2000) / 20))
    // a flow stands for its likelihood, and an objective for itself: either has batches of its own kind
    const trainable = (isObjective(data) ? data : of) as Trainable<unknown, ObjectiveKind>

    const shown = options.onProgress === undefined ? show?.() : undefined
    const hear = options.onProgress ?? shown?.hear ?? (() => undefined)
    const start = from === undefined ? await begin(trainable, foldIn(key, 0), batch) : copyState(from)
    const history: HistoryEntry[] = []
    let best: Params | undefined
    let validated: number | undefined
    let end: Stopped | undefined
    const average = (state: TrainState): Params => averageParams(of, optimiser, state)
    try {
      const events = fit(trainable, start, {
        optimiser,
        learningRate: steps === undefined ? constantRate(learningRate) : cosineRate(learningRate, steps),
        batch,
        ...(steps !== undefined && { steps }),
        ...(options.minutes !== undefined && { seconds: options.minutes * 60 }),
        ...(signal && { signal }),
        ...(validation && {
          validation: { batches: validation, every, params: average, ...(patience !== undefined && { patience }) },
        }),
      })
      for await (const event of events) {
        if (event._tag === 'Validated') {
          validated = 'nats' in event ? event.nats : event.mean
          history.push({ step: event.state.step, loss: validated })
          if (event.best) {
            if (best !== undefined) disposeParams(best)
            best = copied(average(event.state))
          }
        } else if (event._tag === 'Stepped') {
          const loss = 'nats' in event ? event.nats : event.loss
          if (validation === undefined && event.state.step % every === 0) history.push({ step: event.state.step, loss })
          hear({
            step: event.state.step,
            loss,
            ...(steps !== undefined && { steps }),
            ...(validated !== undefined && { validation: validated }),
          })
        } else if (event._tag === 'Stopped') end = event
      }
    } finally {
      shown?.end()
      disposeState(start)
    }
    const { state, error } = end!
    if (error !== undefined) {
      disposeState(state)
      if (best !== undefined) disposeParams(best)
      throw new DiffeoException(error)
    }
    return modelOf(of, best ?? copied(average(state)), state, history)
  }

const begin = async (of: Trainable<unknown, ObjectiveKind>, key: Key, batch: Batched['batch']): Promise<TrainState> => {
  const first = await batch(0)
  try {
    return await startTraining(of, optimiser, key, first)
  } finally {
    tf.dispose([...tensorsIn(first)])
  }
}
