/**
 * Batches one ahead: the next is begun before the engine gets this one, so that what reads and decodes in threads of
 * its own does so while the engine computes.
 *
 * @module
 */
import type { Shape } from '../../types/shape.js'
import { type BatchOf, unwrap } from '../tensor/tensor.js'

/** Lets other work have its turn. Browsers have no `setImmediate`, and Node's timers wait for a millisecond at least. */
export const breathe = (): Promise<unknown> =>
  new Promise((resolve) => (globalThis.setImmediate === undefined ? setTimeout(resolve) : setImmediate(resolve)))

/** A batch, or the promise of one: a rejection with a `DiffeoException` is a sentence for the user. */
export type MaybeLater<A extends Shape> = BatchOf<A> | Promise<BatchOf<A>>

/** `make(from)`, …, `make(end − 1)`: each is begun when its predecessor is handed out, and freed when the next is asked for. */
export async function* ahead<A extends Shape>(
  make: (n: number) => MaybeLater<A>,
  from: number,
  end: number,
): AsyncGenerator<BatchOf<A>, undefined, undefined> {
  const begin = async (n: number): Promise<BatchOf<A> | undefined> => (n < end ? make(n) : undefined)
  const free = (x: BatchOf<A> | undefined): void => {
    if (x !== undefined) unwrap(x as never).dispose()
  }
  let next = begin(from)
  try {
    for (let n = from; n < end; n++) {
      const x = await next
      next = begin(n + 1)
      // whoever asks for it hears of its failure; until then it is nobody's
      next.catch(() => undefined)
      try {
        yield x!
      } finally {
        free(x)
      }
    }
  } finally {
    await next.then(free, () => undefined)
  }
}
