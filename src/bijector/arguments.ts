/**
 * Checks of arguments for plain JavaScript, which may pass a mask for a layer, or a function that was not called.
 *
 * @module
 */
import type { ShapeFn } from '../../types/shape.js'
import { DiffeoException, usageError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import type { AnyBijector, AnyConditional, Layer } from './layer.js'

/** What a value is, as far as its fields show. */
const kindOf = (value: unknown): string => {
  const has = (field: string): boolean =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && field in value
  if (has('_fits')) return 'a mask'
  if (has('at'))
    return has('kind') ? 'a net' : has('context') ? 'a conditional bijector' : has('domain') ? 'a bijector' : 'a layer'
  return has('bijector') ? 'a density' : has('logProb') ? 'a base' : shown(value)
}

/**
 * Refuses a value that is not what an operation expects.
 *
 * @throws DiffeoException that says what the value is
 */
export const expectKind = (
  op: string,
  expected: string,
  value: unknown,
  kinds: readonly string[] = [expected],
  fix?: string,
): void => {
  const got = kindOf(value)
  if (kinds.includes(got)) return
  throw new DiffeoException(usageError(op, expected, got, got === 'a function' ? 'did you forget to call it?' : fix))
}

/**
 * The value, checked to be a layer.
 *
 * @throws DiffeoException that says what the value is
 */
export const layerIn =
  (op: string) =>
  (value: unknown): AnyBijector | AnyConditional | Layer<ShapeFn> => {
    expectKind(op, 'a layer', value, ['a layer', 'a bijector', 'a conditional bijector'])
    return value as Layer<ShapeFn>
  }
