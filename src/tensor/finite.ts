/**
 * Batches that hold something else than numbers.
 *
 * @module
 */

import { product } from './shape.js'
import { type AnyTensor, sizes } from './tensor.js'

/** The first value of a batch that is not finite, and its example; nothing if all are finite. */
export const firstNotFinite = (batch: AnyTensor, data: ArrayLike<number>): string | undefined => {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) return `${data[i]} in example ${Math.floor(i / product(sizes(batch).slice(1)))}`
  return undefined
}
