/**
 * Roots of rising functions, in a fixed number of steps, so that they can be traced and exported.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** A function that rises everywhere: its values, and log of its derivative at each, which bisection does not need. */
export type Rising = (x: tf.Tensor) => readonly [value: tf.Tensor, logSlope: () => tf.Tensor]

/**
 * A constant for gradients. Nothing inside `f` is recorded.
 *
 * @internal
 */
export const withoutGradient = (f: () => tf.Tensor): tf.Tensor =>
  tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))()

/** Where intervals begin that are 2^−halvings of [low, high] and in which f(x) = y. */
const bisected = (f: Rising, y: tf.Tensor, low: tf.Tensor, high: tf.Tensor, halvings: number): tf.Tensor => {
  const width = tf.sub(high, low)
  return Array.from({ length: halvings }).reduce<tf.Tensor>(
    (least, _, i) =>
      tf.tidy(() => {
        const half = tf.mul(width, 2 ** -(i + 1))
        const isAbove = tf.step(tf.sub(y, f(tf.add(least, half))[0]))
        return tf.add(least, tf.mul(half, isAbove))
      }),
    tf.add(low, tf.zerosLike(y)),
  )
}

/** Further than any root. */
const FAR = 1e30

/**
 * x with f(x) = y, for a rising f with f(low) ≤ y ≤ f(high), one bracket for each value or one for all. Outside the bracket the
 * result is exact if f is linear there.
 *
 * Bisection without gradient, then two steps of Newton's method, x ← x − (f(x) − y)/f′(x), with gradient. Each of them
 * squares the error of the values and doubles the order up to which derivatives are right, so first and second derivatives
 * by y and by all that f depends on are those of the inverse function. A step stays within the interval that bisection
 * found and its two neighbours: where f is flat, it would be the rounding of f over a small slope.
 *
 * Tolerance: from the default 16 halvings, values agree to the rounding of f over its slope, |Δx| ≤ 2⁻²³·(|x| + |y|/f′),
 * if f″/f′ stays below 2¹²/(high − low) near the root. Memory: that of f, once for the search and twice with gradients.
 *
 * @internal
 */
export const risingRoot = (f: Rising, y: tf.Tensor, low: tf.Tensor, high: tf.Tensor, halvings = 16): tf.Tensor => {
  const least = withoutGradient(() => bisected(f, y, low, high, halvings))
  const width = withoutGradient(() => tf.mul(tf.sub(high, low), 2 ** -halvings))
  /** Three intervals, and everything beyond the bracket if one of them touches its end. */
  const near = (x: tf.Tensor): tf.Tensor => {
    const isFirst = tf.step(tf.sub(tf.add(low, width), least))
    const isLast = tf.step(tf.sub(tf.add(least, tf.mul(width, 2)), high))
    const from = tf.sub(tf.sub(least, width), tf.mul(isFirst, FAR))
    const to = tf.add(tf.add(least, tf.mul(width, 2)), tf.mul(isLast, FAR))
    return tf.minimum(tf.maximum(x, from), to)
  }
  const newton = (x: tf.Tensor): tf.Tensor => {
    const [value, logSlope] = f(x)
    const next = tf.sub(x, tf.mul(tf.sub(value, y), tf.exp(tf.neg(logSlope()))))
    const moved = withoutGradient(() => tf.sub(near(next), next))
    return tf.add(next, moved)
  }
  return newton(newton(tf.add(least, tf.mul(width, 0.5))))
}
