/**
 * How the weights of nets start.
 *
 * @module
 */

import type { Shape } from '../../types/shape.js'
import { fromKey, gaussian, type Param } from '../tensor/params.js'
import { normalArray } from '../tensor/random.js'
import { product } from '../tensor/shape.js'

/**
 * Weights […, I, O] of normal noise of variance 2 / (number of inputs of one output), as ReLU needs (He et al. 2015). The
 * last `context` of the I inputs start at 0 and do not count: a conditional flow starts as one without a context.
 */
export const heStart = <const S extends Shape>(shape: S, context = 0): Param<S> => {
  const [inputs, outputs] = shape.slice(-2) as [number, number]
  const positions = product(shape.slice(0, -2))
  const deviation = Math.sqrt(2 / (positions * (inputs - context)))
  if (context === 0) return gaussian(shape, deviation)
  return fromKey(shape, (key, size) =>
    normalArray(key, size).map((z, i) => (Math.floor(i / outputs) % inputs < inputs - context ? z * deviation : 0)),
  )
}
