/**
 * One training step as a pure function of state and batch. The loss is Eq. 20: −mean log p(x) in nats per dimension,
 * plus an L2 term on the scales of couplings.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../types/shape.js'
import type { Flow } from '../distribution/flow.js'
import { orThrow } from '../error.js'
import { jit } from '../jit.js'
import { gradientsBy } from '../tensor/derivatives.js'
import { tidy } from '../tensor/ops.js'
import { leaves, mapLeaves, type Param, type Params } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, refuseFreed, trust, unwrap } from '../tensor/tensor.js'
import { halved, type LossScale, type LossScaling, raised } from './lossScale.js'
import { clipByGlobalNorm, type Optimiser, type Schedule } from './optimiser.js'
import { disposeState, fits, type TrainState, tensorsOf, trainable, trained, withTrained } from './state.js'

export interface StepOptions {
  readonly optimiser: Optimiser
  readonly learningRate: Schedule
  /** The largest joint norm of the gradients. Default 100, as the authors have it. */
  readonly clip?: number
  /** The factor of Σ scale². Default 5e-5 */
  readonly l2?: number
  /** For fp16, as {@link dynamicLossScale} has it. Default: the loss as it is. */
  readonly lossScaling?: LossScaling
}

/** What a step answers beside the next state. */
export interface StepMetrics {
  /** −log p(x)/(D log 2), averaged over the batch, with batch statistics. */
  readonly bitsPerDim: number
  /** The same in nats for an example: −log p(x). */
  readonly nats: number
  /** Joint norm of the gradients before clipping. */
  readonly gradientNorm: number
}

/** All elements of a list of tensors, one after another. */
const flat = (list: readonly tf.Tensor[]): tf.Tensor => tf.concat(list.map((t) => tf.reshape(t, [-1])))

/** The pieces of a vector in the shapes of `like`. */
const unflat = (vector: tf.Tensor, like: readonly tf.Tensor[]): readonly tf.Tensor[] =>
  tf
    .split(
      vector,
      like.map(({ size }) => size),
    )
    .map((piece, i) => tf.reshape(piece, like[i]!.shape))

/** A step, compiled at its first call: see {@link step}. */
export interface Stepper<A extends Shape> {
  (state: TrainState, x: BatchOf<A>): Promise<readonly [TrainState, StepMetrics]>
  /** Compiles for a state and a batch like these, and takes no step. */
  readonly prepare: (state: TrainState, x: BatchOf<A>) => Promise<void>
  /** Frees what was compiled. */
  readonly dispose: () => Promise<void>
}

/**
 * The next state, as one program of forward pass, gradients and update. The metrics are not finite if the loss was
 * not: the state that came in is still good then. The optimiser sees all trained parameters as one vector. Both states
 * are the caller's to free.
 *
 * @throws DiffeoException (as a rejection) if the engine cannot compile or take the step, or if the state has another
 *   number of lists of moments than the optimiser
 * @example
 * const next = step(moons, { optimiser: adam(), learningRate: constantRate(1e-3) })
 * const [after, { bitsPerDim }] = await next(start, x)
 * disposeState(start)
 */
export const step = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  { optimiser, learningRate, clip = 100, l2 = 5e-5, lossScaling }: StepOptions,
): Stepper<A> => {
  const dimensions = product(flow.bijector.domain)
  const fitting = fits('step', optimiser)
  const scales = leaves<Param>(flow.spec).flatMap(([, p]) => (trainable(p) ? [p.role === 'scale'] : []))
  const next = jit(
    (state: Omit<TrainState, 'step'>, x: BatchOf<A>, rates: tf.Tensor) =>
      tidy(() => {
        let after: Params = state.params
        let nats: tf.Tensor = tf.scalar(0)
        const given = tf.unstack(rates)
        const factor = lossScaling && given.pop()
        const loss = (...values: tf.Tensor[]): tf.Scalar => {
          const [logProb, params] = flow.train(withTrained(flow, state.params, values))(x)
          // the tape frees what it does not answer: statistics outlive it
          after = mapLeaves(params, (leaf) => trust<Shape>(tf.keep(tf.clone(unwrap(leaf))))) as Params
          const own = tf.div(tf.neg(tf.mean(unwrap(logProb))), dimensions)
          // reported without the penalty, which is no part of the likelihood
          nats = tf.keep(tf.clone(own))
          const penalty = values.filter((_, i) => scales[i]).map((s) => tf.sum(tf.square(s)))
          const whole = penalty.length === 0 ? own : tf.add(own, tf.mul(tf.addN(penalty), l2 / dimensions))
          return (factor === undefined ? whole : tf.mul(whole, factor)) as tf.Scalar
        }
        const values = trained(flow, state.params)
        const grads = gradientsBy(() => loss(...values), values)
        const gradients = factor === undefined ? flat(grads) : tf.div(flat(grads), factor)
        const [clipped, norm] = clipByGlobalNorm([gradients], clip)
        const moments = state.moments.map((list) => [flat(list)])
        const [moved, nextMoments] = optimiser.update(clipped, moments, [flat(values)], given)
        const next = {
          // clones belong to this scope, so that the kept ones can go
          params: mapLeaves(withTrained(flow, after, unflat(moved[0]!, values)), (leaf) =>
            trust<Shape>(tf.clone(unwrap(leaf))),
          ) as Params,
          moments: nextMoments.map(([vector]) => unflat(vector!, values)),
          metrics: tf.stack([tf.div(nats, Math.LN2), norm]),
        }
        tf.dispose([nats, leaves<AnyTensor>(after).map(([, leaf]) => unwrap(leaf))] as tf.TensorContainer)
        return next
      }),
    { batch: 1 },
  )
  const scaleOf = ({ lossScale }: TrainState): LossScale | undefined =>
    lossScaling && (lossScale ?? { factor: lossScaling.start, good: 0 })
  const inputs = ({ step, params, moments }: TrainState, scale: LossScale | undefined) => {
    refuseFreed('step', 'a state with its tensors', tensorsOf({ params, moments }))
    orThrow(fitting(moments))
    const rates = [...optimiser.rates(step + 1, learningRate(step)), ...(scale ? [scale.factor] : [])]
    return { state: { params, moments }, rates: tf.tensor1d(rates) }
  }
  const scaled = async (
    before: TrainState,
    x: BatchOf<A>,
    scale: LossScale | undefined,
  ): Promise<readonly [TrainState, StepMetrics]> => {
    const { state, rates } = inputs(before, scale)
    try {
      const { params, moments, metrics } = await next(state, x, rates)
      const [bitsPerDim, gradientNorm] = await metrics.data()
      metrics.dispose()
      return [
        { step: before.step + 1, params, moments },
        { bitsPerDim: bitsPerDim!, nats: bitsPerDim! * dimensions * Math.LN2, gradientNorm: gradientNorm! },
      ]
    } finally {
      rates.dispose()
    }
  }
  const run = async (before: TrainState, x: BatchOf<A>): Promise<readonly [TrainState, StepMetrics]> => {
    for (let scale = scaleOf(before); ; ) {
      const [after, metrics] = await scaled(before, x, scale)
      if (scale === undefined || lossScaling === undefined) return [after, metrics]
      if (Number.isFinite(metrics.gradientNorm)) return [{ ...after, lossScale: raised(scale, lossScaling) }, metrics]
      const less = halved(scale)
      if (less === undefined || !Number.isFinite(metrics.bitsPerDim)) return [after, metrics]
      disposeState(after)
      scale = less
    }
  }
  return Object.assign(run, {
    prepare: async (before: TrainState, x: BatchOf<A>) => {
      const { state, rates } = inputs(before, scaleOf(before))
      await next.prepare(state, x, rates).finally(() => rates.dispose())
    },
    dispose: next.dispose,
  })
}
