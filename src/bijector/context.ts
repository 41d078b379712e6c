/**
 * How a conditioner sees the context of a conditional flow: concatenated with the part of the event that it sees,
 * along the last axis.
 *
 * | context | beside a vector | beside an image H×W×C |
 * |---|---|---|
 * | a vector | concatenated | at every pixel |
 * | an image of the same height and width | flattened | pixel by pixel |
 * | an image 2ᵏ times as high and wide | flattened | squeezed k times, then pixel by pixel |
 * | any other shape | flattened | flattened, at every pixel |
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../types/shape.js'
import { concat, spaceToDepth } from '../tensor/ops.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'

/** How many squeezes make an image as high and wide as another; `undefined` if none do. */
const squeezes = ([h, w, ...rest]: Shape, [height, width]: Shape): number | undefined => {
  if (rest.length !== 1 || h! < height! || w! < width!) return undefined
  if (h === height && w === width) return 0
  const more = h! % 2 === 0 && w! % 2 === 0 ? squeezes([h! / 2, w! / 2, ...rest], [height!, width!]) : undefined
  return more === undefined ? undefined : more + 1
}

/** Contexts for each of `n` examples: one context is repeated. */
export const forEach = (n: number, contexts: AnyTensor): AnyTensor => {
  const [rows, ...event] = sizes(contexts)
  return rows === n ? contexts : trust(tf.tile(unwrap(contexts), [n, ...event.map(() => 1)]))
}

/** What a conditioner sees, and its shape. */
export interface Seen {
  readonly shape: Shape
  /** How many of its last channels are the context. */
  readonly context: number
  readonly join: (kept: AnyTensor, contexts: AnyTensor | undefined) => AnyTensor
}

/** What a conditioner sees of an event of shape `kept`: the event alone, if there is no context. */
export const withContext = (kept: Shape, context: Shape | undefined): Seen => {
  if (context === undefined) return { shape: kept, context: 0, join: (x) => x }
  const times = kept.length === 3 ? squeezes(context, kept) : undefined
  const extra = times === undefined ? product(context) : context[2]! * 4 ** times
  const [channels, ...rest] = kept.toReversed()
  const positions = rest.toReversed()
  const beside = (contexts: AnyTensor): AnyTensor => {
    if (times !== undefined) return Array.from({ length: times }).reduce<AnyTensor>((c) => spaceToDepth(c), contexts)
    const [n] = sizes(contexts)
    const flat = tf.reshape(unwrap(contexts), [n!, ...positions.map(() => 1), extra])
    return trust(positions.length === 0 ? flat : tf.tile(flat, [1, ...positions, 1]))
  }
  return {
    shape: [...positions, channels! + extra],
    context: extra,
    join: (x, contexts) => concat(beside(forEach(sizes(x)[0]!, contexts!)))(x),
  }
}
