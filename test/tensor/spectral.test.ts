/** Bounds, determinants and inverses of matrices against float64. */
import * as tf from '@tensorflow/tfjs-core'
import { key } from 'diffeo'
import { normalArray } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { logDetByElimination, neumannInverse, spectralBound } from '../../src/tensor/spectral.js'
import { identity, logAbsDet, norm, product, rowsOf, sum } from '../bijector/reference.js'
import { values } from '../support.js'

const worst = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0)
const random = (rows: number, columns: number, seed: number): tf.Tensor2D =>
  tf.tensor2d(normalArray(key(seed), rows * columns), [rows, columns])

describe('spectralBound', () => {
  it.each([
    [1, 1],
    [3, 8],
    [8, 3],
    [64, 64],
  ])('is above the largest singular value of %d×%d by at most its factor', (rows, columns) => {
    tf.tidy(() => {
      const w = random(rows, columns, rows)
      const exact = norm(rowsOf(values([w]), columns))
      const bound = values([spectralBound(w)])[0]!
      expect(bound).toBeGreaterThan(exact * (1 - 1e-6))
      expect(bound).toBeLessThan(exact * Math.min(rows, columns) ** (1 / 128) * (1 + 1e-5))
    })
  })
  it.each([1e-8, 0, 1e8])('takes entries of %d', (size) => {
    tf.tidy(() => {
      const w = tf.fill([2, 2], size) as tf.Tensor2D
      const [bound, gradient] = [spectralBound(w), tf.grad((v) => spectralBound(v as tf.Tensor2D))(w)]
      expect(values([bound])[0]! / (2 * size || 1)).toBeCloseTo(size === 0 ? 0 : 1, 3)
      expect(values([gradient]).every(Number.isFinite)).toBe(true)
    })
  })
})

it.each([1, 2, 5, 12])('logDetByElimination and neumannInverse are exact for size %d', (d) => {
  tf.tidy(() => {
    const j = tf.mul(random(d, d, d), 0.5 / Math.sqrt(4 * d)) as tf.Tensor2D
    const m = sum(identity(d), rowsOf(values([j]), d))
    const batch = tf.expandDims(j, 0) as tf.Tensor3D
    const [logDet] = values([logDetByElimination(tf.add(batch, tf.eye(d)))])
    expect(logDet).toBeCloseTo(logAbsDet(m), 5)
    const inverse = rowsOf(values([neumannInverse(batch, 32)]), d)
    expect(worst(product(m, inverse).flat(), identity(d).flat())).toBeLessThan(1e-5)
  })
})
