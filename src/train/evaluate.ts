/**
 * Evaluation-mode figures: running statistics, every example on its own, the worst beside the mean.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import { compiled } from '../distribution/compiled.js'
import type { Flow } from '../distribution/flow.js'
import type { Params } from '../tensor/params.js'
import { unwrap } from '../tensor/tensor.js'
import { ahead, type MaybeLater } from './ahead.js'

/** −log p(x)/(D log 2) of every example, and what one reads first. */
export interface Evaluation {
  readonly mean: number
  /** The largest of one example. */
  readonly worst: number
  readonly count: number
  readonly each: Float32Array
}

/** A number of batches, each begun while the engine computes with the one before. */
export interface Batches<A extends Shape> {
  readonly count: number
  readonly at: (index: number) => MaybeLater<A>
}

/** What `each` comes to. */
export const summarise = (each: Float32Array): Evaluation => ({
  mean: each.reduce((a, b) => a + b, 0) / each.length,
  worst: each.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), Number.NEGATIVE_INFINITY),
  count: each.length,
  each,
})

/**
 * Bits/dim of every example in evaluation mode. Yields to the event loop between batches; `progress` hears how many
 * batches are done.
 *
 * @throws DiffeoException (as a rejection) if a batch cannot be read.
 */
export const evaluate = async <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  batches: Batches<A>,
  progress: (done: number) => void = () => undefined,
): Promise<Evaluation> => {
  const each: number[] = []
  const bitsPerDim = compiled(flow).bitsPerDim(params)
  let done = 0
  for await (const x of ahead(batches.at, 0, batches.count)) {
    const bits = await bitsPerDim(x)
    for (const bit of await unwrap(bits).data()) each.push(bit)
    unwrap(bits).dispose()
    progress(++done)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return summarise(Float32Array.from(each))
}
