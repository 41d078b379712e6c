/**
 * Evaluation-mode figures: running statistics, every example on its own, the worst beside the mean.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { compiled } from '../distribution/compiled.js'
import type { Flow } from '../distribution/flow.js'
import { jit } from '../jit.js'
import { times } from '../tensor/ops.js'
import type { Params } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { type BatchOf, type PerExample, unwrap } from '../tensor/tensor.js'
import { ahead, breathe, type MaybeLater } from './ahead.js'

/** −log p(x)/(D log 2) of every example, and what one reads first. */
export interface Evaluation {
  readonly mean: number
  /** The mean in nats for an example: −log p(x). */
  readonly nats: number
  /** The largest of one example. */
  readonly worst: number
  readonly count: number
  /** How many examples have no finite figure. If there are any, `mean` and `nats` are not finite either. */
  readonly notFinite: number
  readonly each: Float32Array
}

/**
 * A number of batches, each begun while the engine computes with the one before. A tensor that a call of `at` makes is
 * freed after use, unless the next call returns it too; one that was there before stays the caller's.
 */
export interface Batches<A extends Shape> {
  readonly count: number
  readonly at: (index: number) => MaybeLater<A>
}

/**
 * What the bits/dim of examples of so many dimensions come to.
 *
 * @example summarise(Float32Array.of(1, 2, 6), 784).worst // 6
 */
export const summarise = (each: Float32Array, dimensions: number): Evaluation => {
  const mean = each.reduce((a, b) => a + b, 0) / each.length
  return {
    mean,
    nats: mean * dimensions * Math.LN2,
    worst: each.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), Number.NEGATIVE_INFINITY),
    count: each.length,
    notFinite: each.reduce((n, bits) => (Number.isFinite(bits) ? n : n + 1), 0),
    each,
  }
}

/** Hears how many batches are done, and how many examples those were. */
export type EvaluationProgress = (batches: number, examples: number) => void

const scored = async <A extends Shape>(
  dimensions: number,
  bitsPerDim: (x: BatchOf<A>) => Promise<PerExample>,
  batches: Batches<A>,
  progress: EvaluationProgress = () => undefined,
): Promise<Evaluation> => {
  const each: number[] = []
  let done = 0
  for await (const x of ahead(batches.at, 0, batches.count)) {
    const bits = await bitsPerDim(x)
    for (const bit of await unwrap(bits).data()) each.push(bit)
    unwrap(bits).dispose()
    progress(++done, each.length)
    await breathe()
  }
  return summarise(Float32Array.from(each), dimensions)
}

/**
 * Bits/dim of every example in evaluation mode, and their mean in nats. Yields to the event loop between batches. What it
 * compiles stays for the next evaluation: `compiled(flow).dispose()` frees it.
 *
 * @throws DiffeoException (as a rejection) if a batch cannot be read.
 * @example
 * const { nats } = await evaluate(moons, params, { count: 10, at: (i) => draw(foldIn(key(1), i), 1000) })
 */
export const evaluate = <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  batches: Batches<A>,
  progress?: EvaluationProgress,
): Promise<Evaluation> => scored(product(flow.bijector.domain), compiled(flow).bitsPerDim(params), batches, progress)

/**
 * Bits/dim of every example as training sees them: with the statistics of their batch.
 *
 * @internal
 */
export const trainingBits = <A extends Shape, B extends Latents>(flow: Flow<A, B>) => {
  const toBits = times(-1 / (product(flow.bijector.domain) * Math.LN2))
  return jit((params: Params, x: BatchOf<A>) => toBits(flow.train(params)(x)[0]) as PerExample)
}

/** Mean bits/dim of the same examples at the same parameters, as training sees them and as evaluation does. */
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
 * twice, and `progress` hears of both times.
 *
 * @throws DiffeoException (as a rejection) if a batch cannot be read.
 * @example const { gap } = await trainingGap(moons, params, { count: 10, at: (i) => draw(foldIn(key(1), i), 1000) })
 */
export const trainingGap = async <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  batches: Batches<A>,
  progress: EvaluationProgress = () => undefined,
): Promise<Gap> => {
  const dimensions = product(flow.bijector.domain)
  const inTraining = trainingBits(flow)
  try {
    const seen = await scored(dimensions, (x) => inTraining(params, x), batches, progress)
    const { count, mean: training } = seen
    const { mean: evaluation, each } = await evaluate(flow, params, batches, (done, examples) =>
      progress(batches.count + done, count + examples),
    )
    const notFinite = each.filter((bits, i) => !Number.isFinite(bits) || !Number.isFinite(seen.each[i])).length
    return { count, training, evaluation, gap: training - evaluation, notFinite }
  } finally {
    await inTraining.dispose()
  }
}
