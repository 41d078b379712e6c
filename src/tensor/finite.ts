/**
 * Finds values in batches that are not finite.
 *
 * @module
 */
import type { Shape } from '../../types/shape.js'
import { product } from './shape.js'

/** The first value of a batch that is not finite, and its example; nothing if all are finite. */
export const firstNotFinite = (shape: Shape, data: ArrayLike<number>): string | undefined => {
  const size = product(shape.slice(1))
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) return `${data[i]} in example ${Math.floor(i / size)}`
  return undefined
}
