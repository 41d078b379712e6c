import { describe, expect, it } from 'vitest'
import { gaussLegendre } from '../../src/tensor/quadrature.js'

describe('Gauss–Legendre quadrature', () => {
  it.each([1, 2, 5, 20, 100])('of %d points integrates polynomials of degree below twice as much', (n) => {
    const rule = gaussLegendre(n)
    for (const degree of [0, 1, 2 * n - 2, 2 * n - 1]) {
      const sum = rule.reduce((all, { node, weight }) => all + weight * node ** degree, 0)
      expect(sum * (degree + 1)).toBeCloseTo(1, 10)
    }
    expect(rule.every(({ node, weight }) => node > 0 && node < 1 && weight > 0)).toBe(true)
  })
  it('of two points has the points of tables', () => {
    expect(gaussLegendre(2).map(({ node }) => node)).toEqual([
      expect.closeTo((1 - 1 / Math.sqrt(3)) / 2, 14),
      expect.closeTo((1 + 1 / Math.sqrt(3)) / 2, 14),
    ])
  })
})
