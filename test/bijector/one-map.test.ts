/** Planar, radial and Sylvester layers against their formulas in float64; the log-det by elimination of the Jacobian. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, key, type Layer, planar, radial, type SameVector, sylvester } from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import type { Params } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { randomParams, values } from '../support.js'
import { identity, jacobianOf, logAbsDet, type Matrix, matrix, product, rowsOf, sum, transposed } from './reference.js'

type Map = (x: readonly number[]) => readonly number[]
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, v, i) => total + v * b[i]!, 0)
const factorOf = (x: number): number => Math.log1p(Math.exp(x + Math.log(Math.expm1(0.999)))) + 1e-3
const at = (p: Params, name: string): number[] => values(p[name])

const reflection = (v: readonly number[]): Matrix =>
  matrix(v.length, v.length, (i, j) => (i === j ? 1 : 0) - (2 * v[i]! * v[j]!) / dot(v, v))
const triangular = (of: Matrix, bound: number): Matrix =>
  matrix(of.length, of.length, (i, j) => (i === j ? bound * Math.tanh(of[i]![j]!) : i < j ? of[i]![j]! : 0))

const maps: Readonly<Record<string, readonly [Layer<SameVector>, (p: Params) => Map]>> = {
  planar: [
    planar,
    (p) => {
      const [w, u, b] = [at(p, 'normal'), at(p, 'push'), at(p, 'shift')[0]!]
      const more = (factorOf(dot(w, u)) - 1 - dot(w, u)) / dot(w, w)
      return (x) => x.map((v, i) => v + (u[i]! + more * w[i]!) * Math.tanh(dot(w, x) + b))
    },
  ],
  radial: [
    radial,
    (p) => {
      const [c, alpha] = [at(p, 'centre'), Math.exp(at(p, 'logRadius')[0]!)]
      const beta = alpha * (factorOf(at(p, 'pull')[0]!) - 1)
      return (x) => {
        const r = Math.hypot(...x.map((v, i) => v - c[i]!))
        return x.map((v, i) => v + (beta / (alpha + r)) * (v - c[i]!))
      }
    },
  ],
  sylvester: [
    sylvester({ rank: 3 }),
    (p) => {
      const b = at(p, 'shift')
      const m = b.length
      const axes = rowsOf(at(p, 'axes'), at(p, 'axes').length / m)
      const [r, s] = [triangular(rowsOf(at(p, 'outer'), m), 1), triangular(rowsOf(at(p, 'inner'), m), 0.999)]
      const q = axes
        .reduce<Matrix>((all, v) => product(all, reflection(v)), identity(axes[0]!.length))
        .map((row) => row.slice(0, m))
      return (x) => {
        const w = product(product([x], q), transposed(s))[0]!.map((v, i) => v + b[i]!)
        const moved = product(product([w.map(Math.tanh)], transposed(r)), transposed(q))
        return sum([x], moved)[0]!
      }
    },
  ],
}

const worst = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0)

describe.each(Object.entries(maps))('%s', (_, [layer, mapAt]) => {
  it.each([
    [1, 0.3],
    [2, 1],
    [5, 0.6],
    [5, 3],
  ])('is its formula, with its log-det and inverse, for %d variables and parameters of deviation %d', (d, spread) => {
    tf.tidy(() => {
      const b = atShape([d], layer)
      const params = randomParams(b, key(d), spread)
      const map = mapAt(params)
      const x = randomBatch([d], [-3, 3], 16, key(1))
      const [y, logDet] = b.bind(params).forward(x as never)
      const rows = rowsOf(values(x), d)
      expect(worst(values(y), rows.flatMap(map))).toBeLessThan(2e-6)
      const expected = rows.map((row) => logAbsDet(jacobianOf(map, row)))
      expect(worst(values(logDet), expected)).toBeLessThan(2e-4)
      const [back, opposite] = b.bind(params).inverse(y as never)
      // where a slope is as small as 1e-3, y says less of x
      const least = Math.exp(Math.min(0, ...expected))
      expect(worst(values(back), values(x))).toBeLessThan(2e-6 / least)
      expect(
        worst(
          values(opposite),
          expected.map((l) => -l),
        ),
      ).toBeLessThan(1e-4 / least)
    })
  })
  it('starts as the identity', () => {
    tf.tidy(() => {
      const b = atShape([4], layer)
      const x = randomBatch([4], [-3, 3], 16, key(1))
      const [y, logDet] = b.bind(b.init(key(0))).forward(x as never)
      expect(worst(values(y), values(x))).toBeLessThan(1e-6)
      for (const l of values(logDet)) expect(l).toBeCloseTo(0, 5)
    })
  })
})

it('radial is finite at its centre, and so are its gradients', () => {
  tf.tidy(() => {
    const b = atShape([3], radial)
    const params = randomParams(b, key(2))
    const run = (way: 'forward' | 'inverse') => (x: tf.Tensor) => {
      const [y, logDet] = b.bind(params)[way](tf.reshape(x, [1, 3]) as never)
      return tf.add(tf.sum(y as never), tf.sum(logDet as never))
    }
    const centre = tf.tensor1d(values(params['centre']))
    for (const way of ['forward', 'inverse'] as const)
      expect([...tf.grad(run(way))(centre).dataSync()].every(Number.isFinite)).toBe(true)
  })
})

it('sylvester has at most as many directions as there are variables', () => {
  expect(atShape([2], sylvester({ rank: 5 })).spec['axes']).toMatchObject({ shape: [2, 2] })
})
