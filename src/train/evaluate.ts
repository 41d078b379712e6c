/**
 * Evaluation-mode figures: running statistics, every example on its own, the worst beside the mean.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { compiled } from '../distribution/compiled.js'
import type { ConditionalFlow, Flow, WithGiven } from '../distribution/flow.js'
import { jit } from '../jit.js'
import { checkParams } from '../tensor/check-params.js'
import { times } from '../tensor/ops.js'
import type { Params } from '../tensor/params.js'
import { type BatchOf, type PerExample, unwrap } from '../tensor/tensor.js'
import { ahead, breathe, type MaybeLater } from './ahead.js'
import { flowOf, type ObjectiveKind, objectiveOf, type Trainable } from './objective.js'

/** The figure of every example, and what one reads first. */
export interface Figures {
  readonly mean: number
  /** The largest of one example. */
  readonly worst: number
  readonly count: number
  /** How many examples have no finite figure. If there are any, the means are not finite either. */
  readonly notFinite: number
  readonly each: Float32Array
}

/** −log p(x)/(D log 2) of every example; of an objective, its loss. */
export type Evaluation<K extends ObjectiveKind = 'likelihood'> = Figures &
  (K extends 'likelihood'
    ? {
        /** The mean in nats for an example: −log p(x). */
        readonly nats: number
      }
    : {
        /** What the figures are: the name of the objective. */
        readonly name: string
      })

/**
 * A number of batches, each begun while the engine computes with the one before. A tensor that a call of `at` makes is
 * freed after use, unless the next call returns it too; one that was there before stays the caller's.
 */
export interface Batches<X> {
  readonly count: number
  readonly at: (index: number) => MaybeLater<X>
}

const figuresOf = (each: Float32Array): Figures => ({
  mean: each.reduce((a, b) => a + b, 0) / each.length,
  worst: each.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), Number.NEGATIVE_INFINITY),
  count: each.length,
  notFinite: each.reduce((n, bits) => (Number.isFinite(bits) ? n : n + 1), 0),
  each,
})

/**
 * What the bits/dim of examples of so many dimensions come to.
 *
 * @example summarise(Float32Array.of(1, 2, 6), 784).worst // 6
 */
export const summarise = (each: Float32Array, dimensions: number): Evaluation => {
  const figures = figuresOf(each)
  return { ...figures, nats: figures.mean * dimensions * Math.LN2 }
}

/** Hears how many batches are done, and how many examples those were. */
export type EvaluationProgress = (batches: number, examples: number) => void

const figuresOfAll = async <X>(
  figure: (batch: X) => Promise<PerExample>,
  batches: Batches<X>,
  progress: EvaluationProgress = () => undefined,
): Promise<Float32Array> => {
  const each: number[] = []
  let done = 0
  for await (const batch of ahead((n) => `evaluate at batch ${n}`, batches.at, 0, batches.count)) {
    const figures = await figure(batch)
    for (const one of await unwrap(figures).data()) each.push(one)
    unwrap(figures).dispose()
    progress(++done, each.length)
    await breathe()
  }
  return Float32Array.from(each)
}

/** What a loss in nats is divided by to be bits/dim, if it is a likelihood. */
const unitOf = (of: Trainable<never>): number => {
  const { kind, dimensions = 1 } = objectiveOf(of)
  return kind === 'likelihood' ? dimensions * Math.LN2 : 1
}

/**
 * The figure of every example as training sees it: with the statistics of its batch.
 *
 * @internal
 */
export const trainingFigures = <X>(of: Trainable<X>) => {
  const { loss } = objectiveOf(of)
  const scaled = times(1 / unitOf(of))
  return jit((params: Params, batch: X) => scaled(loss(params)(batch)[0]) as PerExample)
}

type Evaluate<X> = (params: Params, batch: X) => Promise<PerExample>
const evaluations = new WeakMap<object, Evaluate<never>>()

/** The figure of every example in evaluation mode, compiled. */
const evaluationFigures = <X>(of: Trainable<X>): Evaluate<X> => {
  const known = evaluations.get(of)
  if (known !== undefined) return known as Evaluate<X>
  const flow = flowOf(of)
  const made = flow === undefined ? ofObjective(of) : (ofFlow(flow) as Evaluate<never> as Evaluate<X>)
  evaluations.set(of, made)
  return made
}

const ofObjective = <X>(of: Trainable<X>): Evaluate<X> => {
  const objective = objectiveOf(of)
  const own = objective.evaluate ?? ((params: Params) => (batch: X) => objective.loss(params)(batch)[0])
  const scaled = times(1 / unitOf(of))
  return jit((params: Params, batch: X) => scaled(own(params)(batch)) as PerExample, { steady: 1 })
}

/** Those of a flow are programs that `compiled` has already. */
const ofFlow = (
  flow: Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents>,
): Evaluate<BatchOf<Shape> & WithGiven<Shape, Shape>> =>
  'given' in flow
    ? (params, { x, given }) => compiled(flow).given(given).bitsPerDim(params)(x)
    : (params, x) => compiled(flow).bitsPerDim(params)(x)

/**
 * Bits/dim of every example in evaluation mode, and their mean in nats; of an objective, its losses. Yields to the event
 * loop between batches. What it compiles stays for the next evaluation: `compiled(flow).dispose()` frees it.
 *
 * @throws DiffeoException (as a rejection) if a batch cannot be read.
 * @example
 * const { nats } = await evaluate(moons, params, { count: 10, at: (i) => draw(foldIn(key(1), i), 1000) })
 */
export const evaluate = async <X, K extends ObjectiveKind = 'likelihood'>(
  of: Trainable<X, K>,
  params: Params,
  batches: Batches<NoInfer<X>>,
  progress?: EvaluationProgress,
): Promise<Evaluation<K>> => {
  checkParams('evaluate', objectiveOf(of, 'evaluate').spec, params)
  const figure = evaluationFigures(of)
  const each = await figuresOfAll((batch) => figure(params, batch), batches, progress)
  const { kind, name, dimensions = 1 } = objectiveOf(of)
  // `K` is the kind of the objective
  return (kind === 'likelihood' ? summarise(each, dimensions) : { ...figuresOf(each), name }) as object as Evaluation<K>
}

/** Mean bits/dim (of an objective, mean loss) of the same examples at the same parameters, as training sees them and as evaluation does. */
export interface Gap {
  readonly count: number
  readonly training: number
  readonly evaluation: number
  /** training − evaluation */
  readonly gap: number
  /** How many examples lack a finite figure in one of the two modes. */
  readonly notFinite: number
}

/**
 * What the statistics of batches change: 0, but for rounding, where no part of the flow looks at its batch. Large where
 * batch norm's running statistics are not those of the batches (Real NVP's known failure). Every batch is gone through
 * twice, and `progress` counts both times.
 *
 * @throws DiffeoException (as a rejection) if a batch cannot be read.
 * @example const { gap } = await trainingGap(moons, params, { count: 10, at: (i) => draw(foldIn(key(1), i), 1000) })
 */
export const trainingGap = async <X>(
  of: Trainable<X>,
  params: Params,
  batches: Batches<NoInfer<X>>,
  progress: EvaluationProgress = () => undefined,
): Promise<Gap> => {
  checkParams('trainingGap', objectiveOf(of, 'trainingGap').spec, params)
  const inTraining = trainingFigures(of)
  try {
    const seen = figuresOf(await figuresOfAll((batch: X) => inTraining(params, batch), batches, progress))
    const { count, mean: training } = seen
    const { mean: evaluation, each } = await evaluate(of, params, batches, (done, examples) =>
      progress(batches.count + done, count + examples),
    )
    const notFinite = each.filter((bits, i) => !Number.isFinite(bits) || !Number.isFinite(seen.each[i])).length
    return { count, training, evaluation, gap: training - evaluation, notFinite }
  } finally {
    await inTraining.dispose()
  }
}
