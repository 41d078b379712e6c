/**
 * Base distributions: independent over the elements of one or several latents (Eq. 7).
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents, Shape } from '../../types/shape.js'
import { DiffeoException } from '../error.js'
import { add, neg, plus, softplus, square, sumEvent, tidy, times } from '../tensor/ops.js'
import { atLeastZero, count, wrongOption } from '../tensor/options.js'
import { foldIn, type Key, normalArray, uniformArray } from '../tensor/random.js'
import { latentList, product } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentBatch, latentTensors, type PerExample, trust } from '../tensor/tensor.js'
import { drawn } from '../tracing.js'

/** A base distribution with the same density for every element. */
export interface Prior {
  readonly name: string
  /** log p(z), in nats, one number per example. */
  readonly logProb: (z: AnyTensor | readonly AnyTensor[]) => PerExample
  /**
   * `n` draws of latents of these shapes; a temperature below 1 draws nearer to the mode.
   *
   * @throws DiffeoException if `n` is not a whole number from 0, or the temperature is negative or not finite
   */
  readonly sample: <L extends Latents>(latents: L, key: Key, n: number, temperature?: number) => BatchOf<L>
}

/** More elements than any engine has in one tensor. */
const MOST_NUMBERS = 2 ** 31

const independent = (
  name: string,
  logDensity: (z: AnyTensor) => AnyTensor,
  draw: (key: Key, size: number) => Float32Array,
): Prior => ({
  name,
  logProb: (z) =>
    tidy(() =>
      latentTensors(z)
        .map((part) => sumEvent(logDensity(part)))
        .reduce((a, b) => add(b)(a)),
    ),
  sample: (latents, key, n, temperature = 1) => {
    const most = Math.floor(MOST_NUMBERS / Math.max(1, ...latentList(latents).map(product)))
    const wrong = wrongOption('sample', [
      count('draws', n, { least: 0 }),
      [`at most ${most} draws at a time`, n <= most, n],
      atLeastZero('temperature', temperature),
    ])
    if (wrong !== undefined) throw new DiffeoException(wrong)
    const parts = latentList(latents).map((shape: Shape, i) =>
      trust(drawn('sample', [n, ...shape], () => draw(foldIn(key, i), n * product(shape)).map((z) => z * temperature))),
    )
    return latentBatch(latents, parts)
  },
})

/**
 * N(0, 1) for every element: log p(z) = −½z² − ½ log 2π (Eq. 7).
 *
 * @example standardNormal.logProb(orThrow(batch([1], [0, 1]))) // [-0.919, -1.419]
 */
export const standardNormal: Prior = independent(
  'standardNormal',
  (z) => pipe(square(z), times(-0.5), plus(-0.5 * Math.log(2 * Math.PI))),
  normalArray,
)

/**
 * The logistic distribution for every element: log p(z) = −softplus(z) − softplus(−z).
 *
 * @example standardLogistic.logProb(orThrow(batch([1], [0, 1]))) // [-1.386, -1.627]
 */
export const standardLogistic: Prior = independent(
  'standardLogistic',
  (z) => neg(add(softplus(neg(z)))(softplus(z))),
  (key, size) =>
    uniformArray(key, size).map((u) => {
      const inside = Math.max(u, 2 ** -25)
      return Math.log(inside) - Math.log1p(-inside)
    }),
)
