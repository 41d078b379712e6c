/**
 * Base distributions: independent over the elements of one or several latents (Eq. 7).
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents, Shape } from '../../types/shape.js'
import { add, neg, plus, softplus, square, sumEvent, tidy, times } from '../tensor/ops.js'
import { foldIn, type Key, normalArray, uniformArray } from '../tensor/random.js'
import { isShape, latentList, product } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentTensors, type PerExample, trust } from '../tensor/tensor.js'
import { drawn } from '../tracing.js'

/** A density over every element alike. */
export interface Prior {
  readonly name: string
  /** log p(z), in nats, one number per example. */
  readonly logProb: (z: AnyTensor | readonly AnyTensor[]) => PerExample
  /** `n` draws of the given latents; a temperature below 1 draws nearer to the mode. */
  readonly sample: <L extends Latents>(latents: L, key: Key, n: number, temperature?: number) => BatchOf<L>
}

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
    const parts = latentList(latents).map((shape: Shape, i) =>
      trust(drawn('sample', [n, ...shape], () => draw(foldIn(key, i), n * product(shape)).map((z) => z * temperature))),
    )
    return (isShape(latents) ? parts[0] : parts) as never
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
