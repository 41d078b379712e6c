/**
 * The verdict of a law: lawful, or what is wrong and both numbers.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { latentTensors, unwrap } from '../tensor/tensor.js'

/** What was compared, and both numbers. */
export interface Violation {
  readonly what: string
  readonly expected: number | string
  readonly got: number | string
}
export type Verdict = E.Either<Violation, void>

export const lawful: Verdict = E.right(undefined)
export const violates = (what: string, expected: number | string, got: number | string): Verdict =>
  E.left({ what, expected, got })

/** Numbers that agree but for `tolerance`, relative to the largest that is expected and at least 1. */
export const agree = (
  what: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): Verdict => {
  if (got.length !== expected.length) return violates(`how many values in ${what}`, expected.length, got.length)
  const size = Array.from(expected).reduce((a, b) => Math.max(a, Math.abs(b)), 1)
  const wrong = Array.from(expected).findIndex((e, i) => !(got[i] === e || Math.abs(got[i]! - e) <= tolerance * size))
  return wrong < 0 ? lawful : violates(`${what} (value ${wrong})`, expected[wrong]!, got[wrong]!)
}

export const finite = (what: string, values: readonly number[]): Verdict => {
  const wrong = values.find((v) => !Number.isFinite(v))
  return wrong === undefined ? lawful : violates(what, 'finite values', wrong)
}

/** The first of several verdicts that is not lawful. */
export const every = (...verdicts: readonly (() => Verdict)[]): Verdict =>
  verdicts.reduce((so, next) => (E.isLeft(so) ? so : next()), lawful)

/** The values of one tensor, or of several latents one after another. */
export const read = (z: unknown): readonly number[] => latentTensors(z).flatMap((t) => [...unwrap(t).dataSync()])
export const negated = (values: readonly number[]): readonly number[] => values.map((v) => -v)

export const describeViolation = ({ what, expected, got }: Violation): string =>
  `${what}: expected ${expected}, got ${got}`
