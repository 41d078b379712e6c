/**
 * Bijectors that act on each variable alone: the Jacobian is diagonal, so the log-det is the sum of log |dyᵢ/dxᵢ|. Each
 * states its interval, ends included. Outside the interval the log-det is −∞, and the value is that of the nearest end.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Same } from '../../types/shape.js'
import {
  add,
  exp,
  log,
  mul,
  neg,
  plus,
  sigmoid as sigma,
  softplus,
  square,
  sub,
  sumEvent,
  times,
} from '../tensor/ops.js'
import { finite, isScale, positive } from '../tensor/options.js'
import { constant } from '../tensor/params.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { probit } from './probit.js'
import { clamp, type Interval, REALS, SMALLEST } from './support.js'

const UNIT: Interval = [0, 1]

/** A layer from one function each way and log |dy/dx| as a function of x. */
const pointwise = (
  name: string,
  [support, range]: readonly [Interval, Interval],
  forward: (x: AnyTensor) => AnyTensor,
  inverse: (y: AnyTensor) => AnyTensor,
  logDerivative: (x: AnyTensor) => AnyTensor,
): Layer<Same> =>
  layer<Same>(name, (shape) =>
    E.right(
      bijector({
        name,
        domain: shape,
        codomain: shape,
        support,
        range,
        spec: {},
        forward: (_, x) => [forward(x), sumEvent(logDerivative(x))],
        inverse: (_, y) => {
          const x = inverse(y)
          return [x, neg(sumEvent(logDerivative(x)))]
        },
      }),
    ),
  )

/** log(p) − log(1 − p) */
const logitOf = (p: AnyTensor): AnyTensor => sub(log(pipe(p, neg, plus(1))))(log(p))

/** Probabilities clamped to [least, 1 − margin]; by default as near to 0 and 1 as float32 resolves. */
const inside = (p: AnyTensor, least = SMALLEST, margin = 2 ** -24): AnyTensor => clamp([least, 1 - margin], p)

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

// -------------------------------------------------------------------------------------
// probability integral and inverse-CDF transforms (Eq. 3): y = F(x) is uniform if x has the distribution F
// -------------------------------------------------------------------------------------

/**
 * The CDF of the exponential distribution, [0, ∞) → [0, 1). `reverse(exponentialCdf())` turns uniforms into its samples.
 * The inverse treats 1 as 1 − 2⁻²⁴.
 *
 * - Forward: y = 1 − e^−λx
 * - Forward log-det: Σ log λ − λx
 * - Inverse: x = −log(1 − y)/λ
 * - Inverse log-det: −Σ log λ − λx
 *
 * @example atShape([1], reverse(exponentialCdf(2))) // uniforms to waiting times of mean ½
 */
export const exponentialCdf = (rate = 1): Layer<Same> =>
  withOptions('exponentialCdf', [positive('rate', rate)], () =>
    pointwise(
      'exponentialCdf',
      [[0, Number.POSITIVE_INFINITY], UNIT],
      (x) => trust(tf.neg(tf.expm1(tf.mul(unwrap(x), -rate)))),
      (y) => trust(tf.mul(tf.log1p(tf.neg(unwrap(inside(y, 0)))), -1 / rate)),
      (x) => pipe(x, times(-rate), plus(Math.log(rate))),
    ),
  )

/**
 * The CDF of the uniform distribution, [low, high] → [0, 1].
 *
 * - Forward: y = (x − low)/(high − low)
 * - Forward log-det: −Σ log(high − low)
 * - Inverse: x = low + (high − low)·y
 * - Inverse log-det: Σ log(high − low)
 *
 * @example compose(input([1]), uniformCdf(-1, 1), reverse(normalCdf())) // [−1, 1] to ℝ
 */
export const uniformCdf = (low = 0, high = 1): Layer<Same> =>
  withOptions(
    'uniformCdf',
    [
      finite('low', low),
      [`a finite high above low, ${low}`, high > low && Number.isFinite(high), high],
      // float32 rounds the ends
      ['a distance of low and high that float32 holds', isScale(Math.fround(high) - Math.fround(low)), high - low],
    ],
    () =>
      pointwise(
        'uniformCdf',
        [[low, high], UNIT],
        (x) => pipe(x, plus(-low), times(1 / (high - low))),
        (y) => pipe(y, times(high - low), plus(low)),
        (x) => pipe(x, times(0), plus(-Math.log(high - low))),
      ),
  )

/**
 * The CDF of the logistic distribution, ℝ → (0, 1). The inverse treats 0 as 2⁻¹²⁶ and 1 as 1 − 2⁻²⁴.
 *
 * - Forward: y = σ((x − mean)/scale)
 * - Forward log-det: −Σ softplus(u) + softplus(−u) + log scale, u = (x − mean)/scale
 * - Inverse: x = mean + scale·(log y − log(1 − y))
 * - Inverse log-det: Σ softplus(u) + softplus(−u) + log scale
 *
 * @example compose(input([1]), logisticCdf(0, 2))
 */
export const logisticCdf = (mean = 0, scale = 1): Layer<Same> => {
  const standard = (x: AnyTensor) => pipe(x, plus(-mean), times(1 / scale))
  return withOptions('logisticCdf', [finite('mean', mean), positive('scale', scale)], () =>
    pointwise(
      'logisticCdf',
      [REALS, UNIT],
      (x) => sigma(standard(x)),
      (y) => pipe(logitOf(inside(y)), times(scale), plus(mean)),
      (x) => {
        const u = standard(x)
        return pipe(softplus(u), add(softplus(neg(u))), plus(Math.log(scale)), neg)
      },
    ),
  )
}

/**
 * The CDF of the normal distribution, ℝ → (0, 1).
 *
 * Accuracy: forward has an absolute error of at most 10⁻⁷, and is 0 or 1 for |u| > 5.6. Hence inverse(forward(u)) is within
 * 5·10⁻⁴ of u for |u| ≤ 4, and within 0.06 for |u| ≤ 5.2. The inverse is exact to the rounding of float32. It treats 0
 * as 2⁻¹²⁶ and 1 as 1 − 2⁻¹²⁶, and returns mean ∓ 13·deviation for them.
 *
 * - Forward: y = Φ((x − mean)/deviation)
 * - Forward log-det: −Σ ½u² + log(deviation·√2π), u = (x − mean)/deviation
 * - Inverse: x = mean + deviation·Φ⁻¹(y)
 * - Inverse log-det: Σ ½u² + log(deviation·√2π)
 *
 * @example compose(input([1]), normalCdf(5, 2))
 */
export const normalCdf = (mean = 0, deviation = 1): Layer<Same> => {
  const standard = (x: AnyTensor) => pipe(x, plus(-mean), times(1 / deviation))
  return withOptions('normalCdf', [finite('mean', mean), positive('deviation', deviation)], () =>
    pointwise(
      'normalCdf',
      [REALS, UNIT],
      (x) => trust(tf.mul(tf.add(tf.erf(tf.mul(unwrap(standard(x)), Math.SQRT1_2)), 1), 0.5)),
      (y) => pipe(probit(y), times(deviation), plus(mean)),
      (x) => pipe(square(standard(x)), times(-0.5), plus(-Math.log(deviation * Math.sqrt(2 * Math.PI)))),
    ),
  )
}
