/**
 * One training step as a pure function of state and batch. It makes mean loss / D smaller, of D dimensions, plus an L2
 * term on the scales of couplings; for a flow this is Eq. 20, −mean log p(x) in nats per dimension.
 *
 *   g  = ∇θ (mean loss(θ, batch) + λ Σ scale²) / D
 *   θ′ = update(clip(g), θ)
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { identity } from 'fp-ts/lib/function.js'
import type { Called } from '../../types/check.js'
import type { Shape } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { jit } from '../jit.js'
import { checkParams, trustParams } from '../tensor/check-params.js'
import { gradientsBy } from '../tensor/derivatives.js'
import { tidy } from '../tensor/ops.js'
import { leaves, mapLeaves, type Param, type Params, type Spec } from '../tensor/params.js'
import { type AnyTensor, refuseFreed, trust, unwrap } from '../tensor/tensor.js'
import { mapTensors, tensorsIn } from '../tree.js'
import { type FreezeOption, frozenBy } from './freeze.js'
import { halved, type LossScale, type LossScaling, raised } from './lossScale.js'
import { type Objective, type ObjectiveKind, objectiveOf, optionsOf, type Trainable } from './objective.js'
import { clipByGlobalNorm, type Moments, type Optimiser, type Schedule } from './optimiser.js'
import { disposeState, fits, type TrainState, tensorsOf, trainable, trained, withTrained } from './state.js'

export interface StepOptions extends FreezeOption {
  readonly optimiser: Optimiser
  readonly learningRate: Schedule
  /** The largest joint norm of the gradients. Default: 100, as the authors have it */
  readonly clip?: number
  /** The factor of Σ scale². Default: 5e-5 */
  readonly l2?: number
  /** For fp16, as {@link dynamicLossScale} has it. Default: the loss as it is */
  readonly lossScaling?: LossScaling
}

/** What a step returns beside the next state. */
export type StepMetrics<K extends ObjectiveKind = 'likelihood'> = {
  /** Joint norm of the gradients before clipping. */
  readonly gradientNorm: number
} & (K extends 'likelihood'
  ? {
      /** −log p(x)/(D log 2), averaged over the batch, with batch statistics. */
      readonly bitsPerDim: number
      /** The same in nats for an example: −log p(x). */
      readonly nats: number
    }
  : {
      /** The mean of the objective's loss over the batch. */
      readonly loss: number
    })

/** A step, compiled at its first call: see {@link trainStep}. */
export interface Stepper<X, K extends ObjectiveKind = 'likelihood'> {
  (state: TrainState, batch: X): Promise<readonly [TrainState, StepMetrics<K>]>
  /** Compiles for a state and a batch like these, and takes no step. */
  readonly prepare: (state: TrainState, batch: X) => Promise<void>
  /** Frees what was compiled. */
  readonly dispose: () => Promise<void>
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

/**
 * The gradients of a scalar, and whatever else the function computes. TensorFlow.js frees all that the function does not
 * return, so the rest leaves it in kept clones.
 */
const gradientsAnd = <R>(
  f: () => { readonly value: tf.Tensor; readonly rest: R },
  by: readonly tf.Tensor[],
): { readonly gradients: readonly tf.Tensor[]; readonly rest: R } => {
  let kept: R | undefined
  const gradients = gradientsBy(() => {
    const { value, rest } = f()
    kept = mapTensors(rest, (t) => tf.keep(tf.clone(t)))
    return value
  }, by)
  // clones belong to the scope of the caller
  const rest = mapTensors(kept!, (t) => tf.clone(t))
  tf.dispose([...tensorsIn(kept)])
  return { gradients, rest }
}

/** The trained parameters that a step changes: all but the frozen ones. */
const partsOf = (spec: Spec, frozen: readonly boolean[]) => {
  const moves = leaves<Param>(spec).flatMap(([, p], i) => (trainable(p) ? [!frozen[i]] : []))
  return {
    /** Those of a list with one entry for each trained parameter. */
    of: <T>(list: readonly T[]): readonly T[] => list.filter((_, i) => moves[i]),
    /** The list with those replaced, and others passed on by `keep`. */
    into: <T>(list: readonly T[], moved: readonly T[], keep: (entry: T) => T = identity): readonly T[] => {
      let next = 0
      return list.map((entry, i) => (moves[i] ? moved[next++]! : keep(entry)))
    },
  }
}
type TrainedParts = ReturnType<typeof partsOf>

/** The mean loss of a batch, what the step makes smaller, and the parameters with their next statistics. */
const lossOf = <X>(objective: Objective<X, ObjectiveKind>, parts: TrainedParts, l2: number) => {
  const { dimensions = 1 } = objective
  const scales = parts.of(leaves<Param>(objective.spec).flatMap(([, p]) => (trainable(p) ? [p.role === 'scale'] : [])))
  return (params: Params, values: readonly tf.Tensor[], batch: X) => {
    const all = parts.into(trained(objective, params), values)
    const [loss, next] = objective.loss(withTrained(objective, params, all))(batch)
    const mean = tf.div(tf.mean(unwrap(loss)), dimensions)
    const penalty = values.filter((_, i) => scales[i]).map((s) => tf.sum(tf.square(s)))
    const total = penalty.length === 0 ? mean : tf.add(mean, tf.mul(tf.addN(penalty), l2 / dimensions))
    return { total, mean, next }
  }
}

/** The figures of a step from its mean loss for each dimension. */
const metricsOf = <K extends ObjectiveKind>(
  { kind, dimensions = 1 }: Objective<never, ObjectiveKind>,
  [bits, gradientNorm]: Float32Array | readonly number[],
): StepMetrics<K> => {
  const loss = bits! * dimensions * Math.LN2
  const own = kind === 'likelihood' ? { bitsPerDim: bits!, nats: loss } : { loss }
  return { ...own, gradientNorm: gradientNorm! } as object as StepMetrics<K>
}

/**
 * The next state, as one program of forward pass, gradients and update. The metrics are not finite if the loss was
 * not: the state that came in is still good then. The optimiser sees all trained parameters as one vector. Frozen ones have
 * no gradient, and their moments stay. Both states are the caller's to free.
 *
 * @throws DiffeoException (as a rejection) if the engine cannot compile or take the step, or if the state has another
 *   number of lists of moments than the optimiser
 * @example
 * const next = trainStep(moons, { optimiser: adam(), learningRate: constantRate(1e-3) })
 * const [after, { bitsPerDim }] = await next(start, x)
 * disposeState(start)
 */
export const trainStep = <X, K extends ObjectiveKind = 'likelihood', O = Optimiser>(
  of: Trainable<X, K>,
  options: { readonly optimiser: Called<O, 'trainStep', 'an optimiser'> & O } & StepOptions,
): Stepper<X, K> => {
  const { optimiser, learningRate, clip = 100, l2 = 5e-5, lossScaling, freeze } = optionsOf('step', options)
  const objective = objectiveOf(of, 'step')
  const fitting = fits('step', optimiser)
  const frozen = frozenBy(objective.spec, freeze)
  const parts = partsOf(objective.spec, frozen)
  const loss = lossOf(objective, parts, l2)

  const program = jit(
    (state: { readonly params: Params; readonly moments: Moments }, batch: X, numbers: tf.Tensor) =>
      tidy(() => {
        const rates = tf.unstack(numbers)
        const factor = lossScaling && rates.pop()
        const all = trained(objective, state.params)
        const values = parts.of(all)
        const { gradients, rest } = gradientsAnd(() => {
          const { total, mean, next } = loss(state.params, values, batch)
          return { value: factor === undefined ? total : tf.mul(total, factor), rest: { mean, next } }
        }, values)
        const gradient = factor === undefined ? flat(gradients) : tf.div(flat(gradients), factor)
        const [clipped, norm] = clipByGlobalNorm([gradient], clip)
        const vectors = state.moments.map((list) => [flat(parts.of(list))])
        const [[moved], moments] = optimiser.update(clipped, vectors, [flat(values)], rates)
        const params = withTrained(objective, rest.next, parts.into(all, unflat(moved!, values)))
        const before = leaves<AnyTensor>(state.params)
        let place = 0
        return {
          // what stays is an argument: the result has a tensor of its own
          params: mapLeaves<AnyTensor, AnyTensor>(params, (leaf) => {
            const [, same] = before[place]!
            return trust<Shape>(tf.clone(unwrap(frozen[place++] ? same : leaf)))
          }),
          moments: moments.map(([vector], i) =>
            parts.into(state.moments[i]!, unflat(vector!, values), (t) => tf.clone(t)),
          ),
          // reported without the penalty, which is no part of the loss
          metrics: tf.stack([tf.div(rest.mean, Math.LN2), norm]),
        }
      }),
    { batch: 1 },
  )

  const scaleOf = ({ lossScale }: TrainState): LossScale | undefined =>
    lossScaling && (lossScale ?? { factor: lossScaling.start, good: 0 })
  /** Runs `f` on the arguments of the program; its own tensor is freed afterwards. */
  const withArguments = async <R>(
    { step, params, moments }: TrainState,
    batch: X,
    scale: LossScale | undefined,
    f: (...args: Parameters<typeof program>) => Promise<R>,
  ): Promise<R> => {
    checkParams('step', objective.spec, params)
    refuseFreed('step', 'a state with its tensors', tensorsOf({ params, moments }))
    orThrow(fitting(moments))
    const numbers = tf.tensor1d([
      ...optimiser.rates(step + 1, learningRate(step)),
      ...(scale === undefined ? [] : [scale.factor]),
    ])
    return f({ params, moments }, batch, numbers).finally(() => numbers.dispose())
  }
  const once = async (before: TrainState, batch: X, scale: LossScale | undefined) => {
    const { params, moments, metrics } = await withArguments(before, batch, scale, program)
    const figures = await metrics.data<'float32'>()
    metrics.dispose()
    trustParams(objective.spec, params)
    const after: TrainState = { step: before.step + 1, params, moments }
    return [after, metricsOf<K>(objective, figures)] as const
  }
  const run = async (before: TrainState, batch: X): Promise<readonly [TrainState, StepMetrics<K>]> => {
    for (let scale = scaleOf(before); ; ) {
      const [after, metrics] = await once(before, batch, scale)
      if (scale === undefined || lossScaling === undefined) return [after, metrics]
      if (Number.isFinite(metrics.gradientNorm)) return [{ ...after, lossScale: raised(scale, lossScaling) }, metrics]
      const less = halved(scale)
      if (less === undefined || !hasFiniteLoss(metrics)) return [after, metrics]
      disposeState(after)
      scale = less
    }
  }
  return Object.assign(run, {
    prepare: (before: TrainState, batch: X) => withArguments(before, batch, scaleOf(before), program.prepare),
    dispose: program.dispose,
  })
}

/** Whether the loss of a step was finite. */
export const hasFiniteLoss = (metrics: StepMetrics<ObjectiveKind>): boolean =>
  Number.isFinite('nats' in metrics ? metrics.nats : metrics.loss)
