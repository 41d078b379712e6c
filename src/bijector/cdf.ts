/**
 * Distribution functions: probability integral and inverse-CDF transforms (Eq. 3). y = F(x) is uniform if x has the
 * distribution F, and the reverse turns uniforms into its samples.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { pipe } from 'fp-ts/lib/function.js'
import type { Same } from '../../types/shape.js'
import { add, neg, plus, sigmoid as sigma, softplus, square, times } from '../tensor/ops.js'
import { finite, isScale, positive } from '../tensor/options.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import type { Layer } from './layer.js'
import { withOptions } from './options.js'
import { each, inside, logitOf, POSITIVE, pointwise, positiveLog, positivePower, UNIT } from './pointwise.js'
import { probit } from './probit.js'
import { clamp, REALS } from './support.js'

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
      [POSITIVE, UNIT],
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

/**
 * The CDF of the Gumbel distribution, ℝ → (0, 1): that of the greatest of many. In float32 it reaches 0 at u = −4.5 and 1
 * at u = 17. The inverse treats 0 as 2⁻¹²⁶ and 1 as 1 − 2⁻²⁴. Below u = −80 the log-det is that of −80.
 *
 * - Forward: y = exp(−e⁻ᵘ), u = (x − mode)/scale
 * - Forward log-det: −Σ u + e⁻ᵘ + log scale
 * - Inverse: x = mode − scale·log(−log y)
 * - Inverse log-det: Σ u + e⁻ᵘ + log scale
 *
 * @example compose(input([1]), gumbelCdf(0, 2), reverse(normalCdf()))
 */
export const gumbelCdf = (mode = 0, scale = 1): Layer<Same> => {
  const minus = (x: AnyTensor): AnyTensor => pipe(clamp([-80, Infinity], pipe(x, plus(-mode), times(1 / scale))), neg)
  return withOptions('gumbelCdf', [finite('mode', mode), positive('scale', scale)], () =>
    pointwise(
      'gumbelCdf',
      [REALS, UNIT],
      (x) => each((v) => tf.exp(tf.neg(tf.exp(v))))(minus(x)),
      (y) =>
        pipe(
          inside(y),
          each((p) => tf.neg(tf.log(tf.neg(tf.log(p))))),
          times(scale),
          plus(mode),
        ),
      (x) =>
        pipe(
          minus(x),
          each((v) => tf.sub(v, tf.exp(v))),
          plus(-Math.log(scale)),
        ),
    ),
  )
}

/**
 * The CDF of the Weibull distribution, [0, ∞) → [0, 1): of times until something fails. The inverse treats 0 as 2⁻¹²⁶ and 1
 * as 1 − 2⁻²⁴, and u is at least 2⁻¹²⁶ for shapes up to 1, 2^(−126/shape) for larger ones.
 *
 * - Forward: y = 1 − exp(−uᵏ), u = x/scale, k = shape
 * - Forward log-det: Σ log(k/scale) + (k − 1) log u − uᵏ
 * - Inverse: x = scale·(−log(1 − y))^(1/k)
 * - Inverse log-det: −Σ log(k/scale) + (k − 1) log u − uᵏ
 *
 * @example compose(input([1]), weibullCdf(1.5, 2), reverse(normalCdf()))
 */
export const weibullCdf = (shape = 1, scale = 1): Layer<Same> => {
  const hazard = (x: AnyTensor): AnyTensor => pipe(x, times(1 / scale), positivePower(shape))
  return withOptions('weibullCdf', [positive('shape', shape), positive('scale', scale)], () =>
    pointwise(
      'weibullCdf',
      [POSITIVE, UNIT],
      (x) => each((h) => tf.neg(tf.expm1(tf.neg(h))))(hazard(x)),
      (y) =>
        pipe(
          inside(y),
          each((p) => tf.neg(tf.log1p(tf.neg(p)))),
          positivePower(1 / shape),
          times(scale),
        ),
      (x) =>
        pipe(
          x,
          times(1 / scale),
          positiveLog(shape),
          times(shape - 1),
          add(neg(hazard(x))),
          plus(Math.log(shape / scale)),
        ),
    ),
  )
}

/**
 * The CDF of the Kumaraswamy distribution, [0, 1] → [0, 1], which resembles a beta distribution. x is treated as at most
 * 1 − 2⁻²⁴ and at least 2⁻¹²⁶ for a up to 1, 2^(−126/a) for larger ones; the inverse treats 0 as 2⁻¹²⁶ and 1 as 1 − 2⁻²⁴.
 *
 * - Forward: y = 1 − (1 − xᵃ)ᵇ
 * - Forward log-det: Σ log ab + (a − 1) log x + (b − 1) log(1 − xᵃ)
 * - Inverse: x = (1 − (1 − y)^(1/b))^(1/a)
 * - Inverse log-det: −Σ log ab + (a − 1) log x + (b − 1) log(1 − xᵃ)
 *
 * @example compose(input([1]), kumaraswamyCdf(2, 3), reverse(normalCdf()))
 */
export const kumaraswamyCdf = (a = 1, b = 1): Layer<Same> => {
  /** log(1 − xᵃ) */
  const logRest = (x: AnyTensor): AnyTensor =>
    pipe(
      x,
      positivePower(a),
      inside,
      each((w) => tf.log1p(tf.neg(w))),
    )
  return withOptions('kumaraswamyCdf', [positive('parameter a', a), positive('parameter b', b)], () =>
    pointwise(
      'kumaraswamyCdf',
      [UNIT, UNIT],
      (x) =>
        pipe(
          logRest(x),
          times(b),
          each((l) => tf.neg(tf.expm1(l))),
        ),
      (y) =>
        pipe(
          inside(y),
          each((p) => tf.neg(tf.expm1(tf.mul(tf.log1p(tf.neg(p)), 1 / b)))),
          positivePower(1 / a),
        ),
      (x) =>
        pipe(x, positiveLog(a), times(a - 1), add(pipe(logRest(x), times(b - 1))), plus(Math.log(a) + Math.log(b))),
    ),
  )
}
