/**
 * Bijectors that act on each variable separately: the Jacobian is diagonal, so the log-det is the sum of log |dyᵢ/dxᵢ|. Each
 * states its interval, ends included. Outside the interval the log-det is −∞, and the value is that of the nearest end.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Same } from '../../types/shape.js'
import { add, exp, mul, neg, plus, sigmoid as sigma, softplus, sub, sumEvent, times } from '../tensor/ops.js'
import { positive } from '../tensor/options.js'
import { constant } from '../tensor/params.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { inside, logitOf, pointwise, UNIT } from './pointwise.js'
import { REALS, SMALLEST } from './support.js'

/**
 * The logistic sigmoid, ℝ → (0, 1). In float32 it reaches 1 at x = 17. The inverse treats 0 as 2⁻¹²⁶ and 1 as 1 − 2⁻²⁴,
 * so it is finite everywhere, and exact for x in (−87, 16).
 *
 * - Forward: y = 1 / (1 + e⁻ˣ)
 * - Forward log-det: −Σ softplus(x) + softplus(−x)
 * - Inverse: x = log y − log(1 − y)
 * - Inverse log-det: Σ softplus(x) + softplus(−x)
 *
 * @example atShape([2], sigmoid)
 */
export const sigmoid: Layer<Same> = pointwise(
  'sigmoid',
  [REALS, UNIT],
  sigma,
  (y) => logitOf(inside(y)),
  (x) => neg(add(softplus(neg(x)))(softplus(x))),
)

/** The smallest distance from 0 and 1 at which a probability survives as a float32 pixel: σ(−15). */
const resolved = 3e-7

/** α of the logit preprocessing, and the number of values of a pixel. */
export interface LogitOptions {
  /** The margin kept from 0 and 1, from 0 to below ½. Default: 0.05, which is logit(0.05 + 0.9·x/256) */
  readonly alpha?: number
  /** Default: 256, for x in [0, 256) after dequantisation */
  readonly bins?: number
}

/**
 * Logit preprocessing of images (Eq. 16), x in [0, bins], p = α + (1 − 2α)·x/bins. It is finite at both ends, where the
 * paper's logit(α + (1 − α)·x/256) is not.
 *
 * The support is every x with p in [0, 1], which adds a margin of α·bins/(1 − 2α) on both sides; p = 0 is treated as 2⁻¹²⁶
 * and p = 1 as 1 − 2⁻²⁴. For |y| > 15, σ(y) rounds to 0 or 1 within the precision of x. There the inverse returns the x of
 * |y| = 15, so that forward(inverse(y)) is finite, and the log-det of y itself.
 *
 * - Forward: y = log p − log(1 − p)
 * - Forward log-det: Σ softplus(y) + softplus(−y) + log((1 − 2α)/bins)
 * - Inverse: x = bins·(σ(y) − α)/(1 − 2α)
 * - Inverse log-det: −Σ softplus(y) + softplus(−y) + log((1 − 2α)/bins)
 *
 * @example compose(input([28, 28, 1]), logit())
 */
export const logit = ({ alpha = 0.05, bins = 256 }: LogitOptions = {}): Layer<Same> => {
  const slope = (1 - 2 * alpha) / bins
  // floats are dense near 0 (α = 0), but not near α
  const least = alpha === 0 ? SMALLEST : resolved
  const logDerivative = (y: AnyTensor) => pipe(softplus(y), add(softplus(neg(y))), plus(Math.log(slope)))
  const options = [
    ['an alpha from 0 to below 0.5', Number.isFinite(alpha) && alpha >= 0 && alpha < 0.5, alpha] as const,
    positive('number of bins', bins),
  ]
  return withOptions('logit', options, () =>
    layer<Same>('logit', (shape) =>
      E.right(
        bijector({
          name: 'logit',
          domain: shape,
          codomain: shape,
          support: [-alpha / slope, (1 - alpha) / slope],
          spec: {},
          forward: (_, x) => {
            const y = logitOf(inside(pipe(x as AnyTensor, times(slope), plus(alpha))))
            return [y, sumEvent(logDerivative(y))]
          },
          inverse: (_, y) => [
            pipe(inside(sigma(y as AnyTensor), least, resolved), plus(-alpha), times(1 / slope)),
            neg(sumEvent(logDerivative(y))),
          ],
        }),
      ),
    ),
  )
}

/**
 * Elementwise affine map with a learned scale and shift for each variable. Starts as the identity.
 *
 * - Forward: y = x·exp(s) + t
 * - Forward log-det: Σ s
 * - Inverse: x = (y − t)·exp(−s)
 * - Inverse log-det: −Σ s
 *
 * @example compose(input([2]), affine)
 */
export const affine: Layer<Same> = layer<Same>('affine', (shape) =>
  E.right(
    bijector({
      name: 'affine',
      domain: shape,
      codomain: shape,
      spec: { logScale: constant(shape, 0), shift: constant(shape, 0) },
      forward: (p, x) => {
        const s = spread(p.logScale, x)
        return [pipe(x as AnyTensor, mul(exp(s)), add(spread(p.shift, x))), sumEvent(s)]
      },
      inverse: (p, y) => {
        const s = spread(p.logScale, y)
        return [pipe(y as AnyTensor, sub(spread(p.shift, y)), mul(exp(neg(s)))), neg(sumEvent(s))]
      },
    }),
  ),
)

/** An event tensor for every example of a batch. */
const spread = (event: AnyTensor, like: AnyTensor): AnyTensor =>
  trust(tf.add(tf.zerosLike(unwrap(like)), unwrap(event)))
