/**
 * The standard normal distribution in double precision.
 *
 * @module
 */

const rational = (top: readonly number[], bottom: readonly number[], x: number): number =>
  top.reduce((sum, c) => sum * x + c, 0) / bottom.reduce((sum, c) => sum * x + c, 0)

const A = [
  -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
]
const B = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1]
const C = [
  -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
]
const D = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1]

/** Φ⁻¹ by P. J. Acklam's rational functions, right to 1.2e-9 of its size. */
export const normalQuantile = (p: number): number => {
  if (p < 0.02425) return rational(C, D, Math.sqrt(-2 * Math.log(p)))
  if (p > 1 - 0.02425) return -normalQuantile(1 - p)
  const q = p - 0.5
  return q * rational(A, B, q * q)
}
