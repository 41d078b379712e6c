/**
 * The one error type of the library. Every expected failure is a value of it, on the left of an `Either` or a
 * `TaskEither`; it is thrown only at the outermost edge, by {@link orThrow}.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { printable } from './printable.js'

/** What went wrong, in terms that the user knows. */
export interface DiffeoError {
  readonly _tag: 'ShapeError' | 'FormatError' | 'FileError' | 'UsageError' | 'EngineError' | 'TrainingError'
  /** The operation that refused: a function, a flag, a file. */
  readonly op: string
  readonly expected: string
  readonly got: string
  /** What to do about it, as an imperative sentence without its full stop. */
  readonly fix?: string
}

type Make = (op: string, expected: string, got: string, fix?: string) => DiffeoError

const make =
  (_tag: DiffeoError['_tag']): Make =>
  (op, expected, got, fix) =>
    fix === undefined ? { _tag, op, expected, got } : { _tag, op, expected, got, fix }

/**
 * Shapes that do not fit each other.
 * @example shapeError('squeeze', 'an even height', '15 in 15×15×12')
 */
export const shapeError: Make = make('ShapeError')
/**
 * Bytes or text that are not in the format they should be in.
 * @example formatError('images.npy', 'a .npy file', 'something else')
 */
export const formatError: Make = make('FormatError')
/**
 * A file that cannot be read or written.
 * @example fileError('read runs/mnist', 'a folder', 'none')
 */
export const fileError: Make = make('FileError')
/**
 * A flag or an argument that cannot be used.
 * @example usageError('--batch', 'a whole number', "'many'")
 */
export const usageError: Make = make('UsageError')
/**
 * An engine that is missing or does not work here.
 * @example engineError('engine webgpu', 'an adapter', 'none', 'install a driver')
 */
export const engineError: Make = make('EngineError')
/**
 * A run that cannot continue: a loss that is not finite, an interrupted step.
 * @example trainingError('fit at step 7', 'a finite loss', 'one that is not', 'lower the learning rate')
 */
export const trainingError: Make = make('TrainingError')

/**
 * `op: expected …, got …; fix`: the same sentence that the compiler prints for a shape. It is one line, safe to show in
 * a terminal: control and format characters, which names in files may hold, become escapes such as `\x1b`.
 * @example
 * describeError(usageError('read a.bin', 'a file', 'none', 'name another')) // 'read a.bin: expected a file, got none; name another'
 */
export const describeError = (e: DiffeoError): string =>
  printable(`${e.op}: expected ${e.expected}, got ${e.got}${e.fix === undefined ? '' : `; ${e.fix}`}`)

/**
 * The exception that carries a {@link DiffeoError} past the outermost edge.
 * @example const { error } = new DiffeoException(shapeError('mine', '2 numbers', '3'))
 */
export class DiffeoException extends Error {
  override readonly name = 'DiffeoException'
  constructor(readonly error: DiffeoError) {
    super(describeError(error))
  }
}

/**
 * The error of a rejection. Anything but a {@link DiffeoException} is a fault of the program and is thrown again.
 * @example await ready('tensorflow').catch((thrown: unknown) => console.error(describeError(asError(thrown))))
 */
export const asError = (thrown: unknown): DiffeoError => {
  if (thrown instanceof DiffeoException) return thrown.error
  throw thrown
}

/**
 * An optional package that is missing: not an error if there is an alternative.
 * @example (thrown: unknown) => thrown instanceof NotInstalled // another engine will do
 */
export class NotInstalled extends DiffeoException {}

/**
 * The right of an `Either`, or its error thrown: for the outermost edge only.
 * @example const x = batch([2], [1, 2, 3, 4])
 */
export const orThrow = <A>(fa: E.Either<DiffeoError, A>): A => {
  if (E.isLeft(fa)) throw new DiffeoException(fa.left)
  return fa.right
}
