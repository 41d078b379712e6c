/**
 * Refuses wrong options like wrong shapes: when a layer is put at a shape.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { ShapeFn } from '../../types/shape.js'
import { type Option, wrongOption } from '../tensor/options.js'
import { type Layer, layer } from './layer.js'

/** The layer that `make` returns, or, if an option is wrong, one that fits no shape and says so. */
export const withOptions = <F extends ShapeFn>(
  name: string,
  options: readonly Option[],
  make: () => Layer<F>,
): Layer<F> => {
  const wrong = wrongOption(name, options)
  return wrong === undefined ? make() : layer<F>(name, () => E.left(wrong))
}
