/**
 * Quadrature: integrals as weighted sums.
 *
 * @module
 */

/** Pₙ(x) and Pₙ₋₁(x), Legendre polynomials, by their recurrence. */
const legendre = (n: number, x: number): readonly [number, number] =>
  Array.from({ length: n }).reduce<readonly [number, number]>(
    ([p, before], _, k) => [((2 * k + 1) * x * p - k * before) / (k + 1), p],
    [1, 0],
  )

/**
 * Nodes and weights of Gauss and Legendre on [0, 1]: Σ wᵢf(tᵢ) is ∫₀¹ f of every polynomial of degree below 2n.
 *
 * @internal
 */
export const gaussLegendre = (n: number): readonly { readonly node: number; readonly weight: number }[] =>
  Array.from({ length: n }, (_, i) => {
    const slope = (x: number): number => {
      const [p, before] = legendre(n, x)
      return (n * (before - x * p)) / (1 - x * x)
    }
    const root = Array.from({ length: 8 }).reduce<number>(
      (x) => x - legendre(n, x)[0] / slope(x),
      Math.cos((Math.PI * (n - i - 0.25)) / (n + 0.5)),
    )
    return { node: (1 + root) / 2, weight: 1 / ((1 - root * root) * slope(root) ** 2) }
  })
