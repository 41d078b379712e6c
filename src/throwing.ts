/**
 * The edge between the core, whose functions return an expected failure as a value, and the public functions, which throw
 * it or reject with it as a `DiffeoException`. `diffeo/fp` exports the forms of the core.
 *
 * @module
 */
import type * as E from 'fp-ts/lib/Either.js'
import type * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, orThrow } from './error.js'

/** A function that throws the left of the given one. */
export const throwing =
  <Args extends readonly unknown[], A>(f: (...args: Args) => E.Either<DiffeoError, A>) =>
  (...args: Args): A =>
    orThrow(f(...args))

/** A function that starts the task immediately and rejects with its left. */
export const rejecting =
  <Args extends readonly unknown[], A>(f: (...args: Args) => TE.TaskEither<DiffeoError, A>) =>
  async (...args: Args): Promise<A> =>
    orThrow(await f(...args)())
