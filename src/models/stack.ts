/**
 * Premade flows as lists of layers.
 *
 * @module
 */
import type { ShapeFn } from '../../types/shape.js'
import { compose } from '../bijector/compose.js'
import type { Layer } from '../bijector/layer.js'

/** A layer of any shape function. */
export type AnyLayer = Layer<ShapeFn>

/**
 * A list of layers whose length is known only at run time has no shape function that the compiler could find; the exported
 * signatures state it.
 */
export const stack = <F extends ShapeFn>(layers: readonly AnyLayer[]): Layer<F> =>
  compose(...layers) as Layer<ShapeFn> as Layer<F>
