/**
 * Batches one ahead: the next is begun before the engine gets this one, so that what reads and decodes in threads of
 * its own does so while the engine computes.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, trainingError } from '../error.js'
import { firstNotFinite } from '../tensor/finite.js'
import { shown } from '../tensor/numbers.js'
import { namedTensors, tensorsIn } from '../tree.js'

/** Lets other work have its turn. Browsers have no `setImmediate`, and Node's timers wait for a millisecond at least. */
export const breathe = (): Promise<unknown> =>
  new Promise((resolve) => (globalThis.setImmediate === undefined ? setTimeout(resolve) : setImmediate(resolve)))

/** A batch, or the promise of one: a rejection with a `DiffeoException` is a sentence for the user. */
export type MaybeLater<X> = X | Promise<X>

/** The tensors of a batch, which plain JavaScript may have forgotten to return. */
const tensorsOf = (op: string, batch: unknown): readonly tf.Tensor[] => {
  const tensors = tensorsIn(batch)
  if (tensors.length > 0) return tensors
  const got = batch === undefined ? 'none' : shown(batch)
  throw new DiffeoException(trainingError(op, 'a batch of tensors', got, 'return one: batch(shape, values)'))
}

/**
 * `make(from)`, …, `make(end − 1)`: each is begun when its predecessor is handed out, and freed when the next is handed
 * out, or the one after that if `held` is 2. Two kinds of tensors stay the caller's: those that were there before the
 * call that returns them, and those that the next call returns too, as a function does that keeps its first result.
 *
 * @param op what the n-th batch is for, in errors
 * @throws DiffeoException (as a rejection) if a call returns no tensors
 */
export async function* ahead<X>(
  op: (n: number) => string,
  make: (n: number) => MaybeLater<X>,
  from: number,
  end: number,
  held = 1,
): AsyncGenerator<X, undefined, undefined> {
  /** Made by calls, returned once, and not freed yet. */
  const fresh = new Set<tf.Tensor>()
  const begin = async (n: number): Promise<X | undefined> => {
    if (n >= end) return undefined
    // tensors are numbered in the order in which they are made
    const mark = tf.scalar(0)
    mark.dispose()
    const batch = await make(n)
    for (const t of tensorsOf(op(n), batch)) {
      if (t.id > mark.id) fresh.add(t)
      else fresh.delete(t)
    }
    return batch
  }
  const handed: (readonly tf.Tensor[])[] = []
  let next = begin(from)
  try {
    for (let n = from; n < end; n++) {
      const batch = (await next)!
      handed.push(tensorsIn(batch))
      const last = handed.length > held ? handed.shift()! : []
      for (const t of last) if (fresh.delete(t)) t.dispose()
      next = begin(n + 1)
      // its failure is reported when it is awaited, not as an unhandled rejection before
      next.catch(() => undefined)
      yield batch
    }
  } finally {
    await next.catch(() => undefined)
    tf.dispose([...fresh])
  }
}

/** What is not finite in a batch, and in which of its examples; nothing if all of it is finite. */
export const notFiniteIn = async (batch: unknown): Promise<string | undefined> => {
  for (const [name, t] of namedTensors(batch)) {
    const bad = firstNotFinite(t.shape, await t.data())
    if (bad !== undefined) return `${bad} of ${name === '' ? 'it' : name}`
  }
  return undefined
}
