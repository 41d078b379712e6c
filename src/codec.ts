/**
 * Codecs of values that decode to themselves. On refusal, the codec's name says what was expected.
 *
 * @module
 */
import * as t from 'io-ts'

/** The codec of the values that a guard accepts. */
export const guarded = <A>(name: string, is: (u: unknown) => u is A): t.Type<A> =>
  new t.Type<A>(name, is, (u, context) => (is(u) ? t.success(u) : t.failure(u, context)), t.identity)

/** An integer from `low` to `high`. */
export const integer = (low: number, high: number, name = `an integer from ${low} to ${high}`): t.Type<number> =>
  guarded(name, (u): u is number => Number.isInteger(u) && Number(u) >= low && Number(u) <= high)

/** An integer from 0, as exact as a number can be. */
export const natural = (name: string): t.Type<number> => integer(0, Number.MAX_SAFE_INTEGER, name)

/** A number from `low` to `high`. */
export const finite = (low: number, high: number, name = `a number from ${low} to ${high}`): t.Type<number> =>
  guarded(name, (u): u is number => typeof u === 'number' && u >= low && u <= high)
