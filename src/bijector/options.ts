/**
 * Options that no bijector has: refused where a layer is put at a shape, as shapes are.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { ShapeFn } from '../../types/shape.js'
import { usageError } from '../error.js'
import { type Layer, layer } from './layer.js'

/** What an option is called and has to be, whether it is, and what it is. */
type Option = readonly [expected: string, fits: boolean, got: number]

/** A layer, if its options are what they have to be. */
export const withOptions = <F extends ShapeFn>(
  name: string,
  options: readonly Option[],
  make: () => Layer<F>,
): Layer<F> => {
  const wrong = options.find(([, fits]) => !fits)
  return wrong === undefined ? make() : layer<F>(name, () => E.left(usageError(name, wrong[0], `${wrong[2]}`)))
}

/** A number above 0. */
export const positive = (name: string, value: number): Option => [
  `a ${name} above 0`,
  value > 0 && Number.isFinite(value),
  value,
]

/** A number. */
export const finite = (name: string, value: number): Option => [`a finite ${name}`, Number.isFinite(value), value]

/** A whole number of things, from 1 to `most`. */
export const count = (name: string, value: number, most = Number.MAX_SAFE_INTEGER): Option => [
  `a whole number of ${name} from 1${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''}`,
  Number.isSafeInteger(value) && value >= 1 && value <= most,
  value,
]
