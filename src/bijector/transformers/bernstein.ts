/**
 * Bernstein polynomials (Sick et al. 2020, "Deep transformation models"; Ramasinghe et al. 2021, "Robust normalizing flows
 * using Bernstein-type polynomials", Eq. 6): a polynomial on [−B, B] that rises because its coefficients do.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { bounded, type Each, piece, type Row, spans, straightBeyond } from './rows.js'

export interface BernsteinOptions {
  /** m, the degree of the polynomial, below 50. Default: 10 */
  readonly degree?: number
  /** B, in the unit of the data: the polynomial runs from −B to B, and a straight line beyond. Default: 3 */
  readonly bound?: number
}

/** (m over k) for k from 0 to m. */
const binomials = (m: number): readonly number[] =>
  Array.from({ length: m }).reduce<readonly number[]>((row) => [1, ...row.map((b, k) => b + (row[k + 1] ?? 0))], [1])

/** uᵏ for k from 0 to m, along the last axis. */
const powers = (u: Each, m: number): Row => {
  const all = Array.from({ length: m }).reduce<readonly Each[]>(
    (to) => [...to, tf.mul(to.at(-1)!, u)],
    [tf.onesLike(u)],
  )
  return tf.concat([...all], 2)
}

/**
 * Bernstein polynomials of degree m on [−B, B], which map the interval onto itself, and straight lines beyond, with the
 * slopes of the ends. Starts as the identity. It takes m numbers for each variable.
 *
 * With u = (x + B)/2B, steps d = 2B·softmax(θ) of at least a hundredth of 2B each, and coefficients
 * cₖ = −B + d₀ + … + dₖ₋₁. The inverse is a root in [−B, B], found by 16 halvings and two steps of Newton's method. Its
 * values have an error of a few roundings of y over the slope. Memory: O(m) for each variable.
 *
 * - Forward: y = Σₖ cₖ (m over k) uᵏ(1 − u)ᵐ⁻ᵏ
 * - Forward log-det: Σ log (m/2B) Σₖ dₖ (m − 1 over k) uᵏ(1 − u)ᵐ⁻¹⁻ᵏ
 * - Inverse: x is the root
 * - Inverse log-det: −Σ log (m/2B) Σₖ dₖ (m − 1 over k) uᵏ(1 − u)ᵐ⁻¹⁻ᵏ
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.bernstein({ degree: 16 }))())
 */
export const bernstein = ({ degree = 10, bound = 3 }: BernsteinOptions = {}): Transformer =>
  rowTransformer('bernstein', [count('degrees', degree, { most: 49 }), positive('bound', bound)], degree, (rows) => {
    const [steps, starts] = spans(bounded(rows), -bound, 2 * bound)
    const last = tf.add(piece(starts, degree - 1, 1), piece(steps, degree - 1, 1))
    const row = (numbers: readonly number[]): Row => tf.tensor3d([...numbers], [1, 1, numbers.length])
    const weighted = tf.mul(tf.concat([starts, last], 2), row(binomials(degree)))
    const slopes = tf.mul(tf.mul(steps, row(binomials(degree - 1))), degree / (2 * bound))
    return straightBeyond(bound, (x) => {
      const u = tf.mul(tf.add(x, bound), 1 / (2 * bound))
      const [up, down] = [powers(u, degree), tf.reverse(powers(tf.sub(1, u), degree), 2)]
      const sum = (coefficients: Row, a: Row, b: Row): Each => tf.sum(tf.mul(coefficients, tf.mul(a, b)), 2, true)
      return [sum(weighted, up, down), sum(slopes, piece(up, 0, degree), piece(down, 1, degree))]
    })
  })
