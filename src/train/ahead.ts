/**
 * Batches one ahead: the next is begun before the engine gets this one, so that what reads and decodes in threads of
 * its own does so while the engine computes.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../types/shape.js'
import { firstNotFinite } from '../tensor/finite.js'
import { type AnyTensor, type BatchOf, latentTensors, unwrap, values } from '../tensor/tensor.js'

/** Lets other work have its turn. Browsers have no `setImmediate`, and Node's timers wait for a millisecond at least. */
export const breathe = (): Promise<unknown> =>
  new Promise((resolve) => (globalThis.setImmediate === undefined ? setTimeout(resolve) : setImmediate(resolve)))

/** A batch, or the promise of one: a rejection with a `DiffeoException` is a sentence for the user. */
export type MaybeLater<A extends Shape> = BatchOf<A> | Promise<BatchOf<A>>

const tensorOf = (batch: unknown): tf.Tensor => unwrap(latentTensors(batch)[0]!)

/**
 * `make(from)`, …, `make(end − 1)`: each is begun when its predecessor is handed out, and freed when the next is handed
 * out, or the one after that if `held` is 2. Two kinds of tensors stay the caller's: those that were there before the
 * call that returns them, and those that the next call returns too, as a function does that keeps its first result.
 */
export async function* ahead<A extends Shape>(
  make: (n: number) => MaybeLater<A>,
  from: number,
  end: number,
  held = 1,
): AsyncGenerator<BatchOf<A>, undefined, undefined> {
  /** Made by calls, returned once, and not freed yet. */
  const fresh = new Set<tf.Tensor>()
  const begin = async (n: number): Promise<BatchOf<A> | undefined> => {
    if (n >= end) return undefined
    // tensors are numbered in the order in which they are made
    const mark = tf.scalar(0)
    mark.dispose()
    const batch = await make(n)
    const x = tensorOf(batch)
    if (x.id > mark.id) fresh.add(x)
    else fresh.delete(x)
    return batch
  }
  const handed: tf.Tensor[] = []
  let next = begin(from)
  try {
    for (let n = from; n < end; n++) {
      const batch = (await next)!
      handed.push(tensorOf(batch))
      const last = handed.length > held ? handed.shift()! : undefined
      if (last !== undefined && fresh.delete(last)) last.dispose()
      next = begin(n + 1)
      // whoever asks for it hears of its failure; until then it is nobody's
      next.catch(() => undefined)
      yield batch
    }
  } finally {
    await next.catch(() => undefined)
    tf.dispose([...fresh])
  }
}

/**
 * What is not finite in a batch, and in which of its examples; nothing if all of it is finite.
 */
export const notFiniteIn = async (x: AnyTensor): Promise<string | undefined> => {
  const bad = firstNotFinite(x, await values(x))
  return bad && `${bad} of it`
}
