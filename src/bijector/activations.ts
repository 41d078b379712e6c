/**
 * Invertible functions of one variable, without parameters, of ℝ or of the positive numbers.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { pipe } from 'fp-ts/lib/function.js'
import type { Same } from '../../types/shape.js'
import { add, neg, plus, softplus as smoothRelu, times } from '../tensor/ops.js'
import { finite, isScale, positive } from '../tensor/options.js'
import type { AnyTensor } from '../tensor/tensor.js'
import type { Layer } from './layer.js'
import { withOptions } from './options.js'
import { each, POSITIVE, pointwise, positiveLog, positivePower, softplusInverse } from './pointwise.js'
import { clamp, REALS, SMALLEST } from './support.js'

/** The inverses of functions onto (−1, 1) treat ±1 as ± this number. */
const NEARLY_ONE = 1 - 2 ** -24
/** The largest x whose exponential float32 holds, nearly. */
const MOST_EXPONENT = 88

/**
 * Leaky ReLU. Its slope jumps at 0.
 *
 * - Forward: y = x if x ≥ 0, else slope·x
 * - Forward log-det: Σ log slope over x < 0
 * - Inverse: x = y if y ≥ 0, else y/slope
 * - Inverse log-det: −Σ log slope over y < 0
 *
 * @example compose(input([2]), luLinear(), leakyRelu(0.2))
 */
export const leakyRelu = (slope = 0.01): Layer<Same> => {
  const bent = (factor: number) => each((x) => tf.sub(tf.relu(x), tf.mul(tf.relu(tf.neg(x)), factor)))
  return withOptions('leakyRelu', [positive('slope', slope)], () =>
    pointwise('leakyRelu', [REALS, REALS], bent(slope), bent(1 / slope), (x) =>
      each((t) => tf.mul(tf.step(tf.neg(t)), Math.log(slope)))(x),
    ),
  )
}

/**
 * Softplus, ℝ → (0, ∞). The inverse treats 0 as 2⁻¹²⁶.
 *
 * - Forward: y = log(1 + eˣ)
 * - Forward log-det: −Σ log(1 + e⁻ˣ)
 * - Inverse: x = y + log(1 − e⁻ʸ)
 * - Inverse log-det: Σ log(1 + e⁻ˣ)
 *
 * @example compose(input([2]), reverse(softplus), actNorm) // positive numbers to ℝ
 */
export const softplus: Layer<Same> = pointwise('softplus', [REALS, POSITIVE], smoothRelu, softplusInverse, (x) =>
  neg(smoothRelu(neg(x))),
)

/**
 * Softsign, ℝ → (−1, 1), whose tails are heavier than those of tanh. The inverse treats ±1 as ±(1 − 2⁻²⁴). The slope has a
 * kink at 0.
 *
 * - Forward: y = x/(1 + |x|)
 * - Forward log-det: −Σ 2 log(1 + |x|)
 * - Inverse: x = y/(1 − |y|)
 * - Inverse log-det: Σ 2 log(1 + |x|)
 *
 * @example compose(input([2]), softsign)
 */
export const softsign: Layer<Same> = pointwise(
  'softsign',
  [REALS, [-1, 1]],
  each((x) => tf.div(x, tf.add(tf.abs(x), 1))),
  (y) =>
    pipe(
      clamp([-NEARLY_ONE, NEARLY_ONE], y),
      each((t) => tf.div(t, tf.sub(1, tf.abs(t)))),
    ),
  each((x) => tf.mul(tf.log1p(tf.abs(x)), -2)),
)

/**
 * Hyperbolic tangent, ℝ → (−1, 1). In float32 it reaches ±1 at |x| = 9. The inverse treats ±1 as ±(1 − 2⁻²⁴).
 *
 * - Forward: y = tanh x
 * - Forward log-det: Σ log 4 − log(1 + e²ˣ) − log(1 + e⁻²ˣ)
 * - Inverse: x = ½ log(1 + y) − ½ log(1 − y)
 * - Inverse log-det: −Σ log 4 − log(1 + e²ˣ) − log(1 + e⁻²ˣ)
 *
 * @example compose(input([2]), affine, tanh) // into the square [−1, 1]²
 */
export const tanh: Layer<Same> = pointwise(
  'tanh',
  [REALS, [-1, 1]],
  each(tf.tanh),
  (y) =>
    pipe(
      clamp([-NEARLY_ONE, NEARLY_ONE], y),
      each((t) => tf.mul(tf.sub(tf.log1p(t), tf.log1p(tf.neg(t))), 0.5)),
    ),
  (x) => pipe(logCosh(x), times(-2)),
)

/** log cosh x = ½ log(1 + e²ˣ) + ½ log(1 + e⁻²ˣ) − log 2, which does not overflow. */
const logCosh = (x: AnyTensor): AnyTensor => {
  const double = times(2)(x)
  return pipe(smoothRelu(double), add(smoothRelu(neg(double))), times(0.5), plus(-Math.LN2))
}

/** log(x + √(x² + 1)), an odd function that keeps the digits of small x; its gradient is 1/√(x² + 1). */
const asinh = (x: AnyTensor): AnyTensor =>
  each(
    tf.customGrad((v, save) => {
      const t = v as tf.Tensor
      ;(save as tf.GradSaveFunc)([t])
      const size = tf.abs(t)
      const root = tf.sqrt(tf.add(tf.square(size), 1))
      const more = tf.mul(size, tf.div(size, tf.add(root, 1)))
      return {
        value: tf.mul(tf.sign(t), tf.log1p(tf.add(size, more))),
        gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.div(dy, tf.sqrt(tf.add(tf.square(saved!), 1))),
      }
    }),
  )(x)

const sinh = each((x) => tf.mul(tf.sub(tf.expm1(x), tf.expm1(tf.neg(x))), 0.5))

/**
 * Sinh-arcsinh (Jones & Pewsey 2009): a skew above 0 makes the right tail of y heavier than the left one, and a tail above 1
 * makes both heavier. For |x| up to 10¹⁹ and as far as float32 holds y.
 *
 * - Forward: y = sinh(v), v = (arsinh x + skew)·tail
 * - Forward log-det: Σ log tail + log cosh v − ½ log(1 + x²)
 * - Inverse: x = sinh(arsinh(y)/tail − skew)
 * - Inverse log-det: −Σ log tail + log cosh v − ½ log(1 + x²)
 *
 * @example compose(input([2]), reverse(sinhArcsinh(0.5, 1.2))) // skewed data to normal ones
 */
export const sinhArcsinh = (skew = 0, tail = 1): Layer<Same> => {
  const inner = (x: AnyTensor): AnyTensor => pipe(asinh(x), plus(skew), times(tail))
  return withOptions('sinhArcsinh', [finite('skew', skew), positive('tail', tail)], () =>
    pointwise(
      'sinhArcsinh',
      [REALS, REALS],
      (x) => sinh(inner(x)),
      (y) => pipe(asinh(y), times(1 / tail), plus(-skew), sinh),
      (x) => pipe(logCosh(inner(x)), add(each((t) => tf.mul(tf.log1p(tf.square(t)), -0.5))(x)), plus(Math.log(tail))),
    ),
  )
}

/**
 * Powers of positive numbers, [0, ∞) → [0, ∞). With m = max(1, |p|), values below 2^(−126/m) are treated as that number, and
 * those above 2^(126/m) as that.
 *
 * - Forward: y = xᵖ
 * - Forward log-det: Σ log|p| + (p − 1) log x
 * - Inverse: x = y^(1/p)
 * - Inverse log-det: −Σ log|p| + (p − 1) log x
 *
 * @example compose(input([2]), power(0.5)) // square roots
 */
export const power = (p: number): Layer<Same> =>
  withOptions('power', [['a finite p other than 0', isScale(Math.abs(p)), p]], () =>
    pointwise('power', [POSITIVE, POSITIVE], positivePower(p), positivePower(1 / p), (x) =>
      pipe(positiveLog(p)(x), times(p - 1), plus(Math.log(Math.abs(p)))),
    ),
  )

/** x, at most 88. */
const exponent = (x: AnyTensor): AnyTensor => clamp([-Infinity, MOST_EXPONENT], x)

/**
 * The exponential function, ℝ → (0, ∞). Beyond x = 88, y is e⁸⁸. The inverse treats 0 as 2⁻¹²⁶.
 *
 * - Forward: y = eˣ
 * - Forward log-det: Σ x
 * - Inverse: x = log y
 * - Inverse log-det: −Σ x
 *
 * @example compose(input([2]), reverse(exp), actNorm) // logarithms of positive numbers
 */
export const exp: Layer<Same> = pointwise(
  'exp',
  [REALS, POSITIVE],
  (x) => each(tf.exp)(exponent(x)),
  (y) => each(tf.log)(clamp([SMALLEST, Infinity], y)),
  times(1),
)

/**
 * The exponential function minus 1, ℝ → (−1, ∞). Beyond x = 88, y is e⁸⁸. The inverse treats −1 as −1 + 2⁻²⁴.
 *
 * - Forward: y = eˣ − 1
 * - Forward log-det: Σ x
 * - Inverse: x = log(1 + y)
 * - Inverse log-det: −Σ x
 *
 * @example compose(input([2]), reverse(expm1), actNorm) // log(1 + counts)
 */
export const expm1: Layer<Same> = pointwise(
  'expm1',
  [REALS, [-1, Number.POSITIVE_INFINITY]],
  (x) => each(tf.expm1)(exponent(x)),
  (y) => each(tf.log1p)(clamp([-NEARLY_ONE, Infinity], y)),
  times(1),
)

/**
 * A fixed factor, which may be negative.
 *
 * - Forward: y = factor·x
 * - Forward log-det: Σ log|factor|
 * - Inverse: x = y/factor
 * - Inverse log-det: −Σ log|factor|
 *
 * @example compose(input([2]), scaleBy(-1), exp)
 */
export const scaleBy = (factor: number): Layer<Same> =>
  withOptions('scaleBy', [['a finite factor other than 0', isScale(Math.abs(factor)), factor]], () =>
    pointwise('scaleBy', [REALS, REALS], times(factor), times(1 / factor), (x) =>
      pipe(x, times(0), plus(Math.log(Math.abs(factor)))),
    ),
  )
