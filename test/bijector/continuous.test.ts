/** Continuous layers against the same method in float64, and against an exact solution. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, continuous, describeError, key } from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import type { Params } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { velocityOf } from '../../src/bijector/continuous.js'
import { randomParams, values } from '../support.js'
import { jacobianOf, logAbsDet, product, rowsOf } from './reference.js'

type Row = readonly number[]
const worst = (a: Row, b: Row): number => a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0)

/** The velocity in float64. */
const velocity =
  (p: Params, hidden: readonly number[], given: Row = []) =>
  (x: Row, t: number): Row => {
    const widths = [...hidden, x.length]
    return widths.reduce<Row>(
      (h, to, l) => {
        const y = product([h], rowsOf(values(p[`kernel${l}`]), to))[0]!.map((v, i) => v + values(p[`bias${l}`])[i]!)
        return l === hidden.length ? y : y.map(Math.tanh)
      },
      [...x, 2 * t - 1, ...given],
    )
  }
const solved = (u: (x: Row, t: number) => Row, from: number, to: number, steps: number, start: Row): Row => {
  const h = (to - from) / steps
  const plus = (a: Row, b: Row, by: number): Row => a.map((v, i) => v + by * b[i]!)
  return Array.from({ length: steps }).reduce<Row>((x, _, i) => {
    const t = from + i * h
    const k1 = u(x, t)
    const k2 = u(plus(x, k1, h / 2), t + h / 2)
    const k3 = u(plus(x, k2, h / 2), t + h / 2)
    const k4 = u(plus(x, k3, h), t + h)
    return x.map((v, j) => v + (h / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!))
  }, start)
}

describe.each([[[7, 5]], [[6]]])('of hidden layers %j', (hidden) => {
  it.each([1, 3, 6])('is the solution of its equation, with its log-det, for %d variables', (d) => {
    tf.tidy(() => {
      const b = atShape([d], continuous({ hidden, steps: 6 }))
      const params = randomParams(b, key(d), 0.5)
      const u = velocity(params, hidden)
      const x = randomBatch([d], [-2, 2], 3, key(1))
      const [z, logDet] = b.bind(params).forward(x as never)
      const rows = rowsOf(values(x), d)
      expect(
        worst(
          values(z),
          rows.flatMap((row) => solved(u, 1, 0, 6, row)),
        ),
      ).toBeLessThan(3e-6)
      // 60 steps and the determinant of the whole Jacobian, in place of the integral of the trace
      const exact = rows.map((row) => logAbsDet(jacobianOf((v) => solved(u, 1, 0, 60, v), row)))
      expect(worst(values(logDet), exact)).toBeLessThan(2e-3)
    })
  })
  it('sees the context, which starts without influence', () => {
    tf.tidy(() => {
      const b = atShape([2], continuous({ hidden, steps: 3 }), { given: [2, 2] })
      const params = randomParams(b as never, key(3), 0.5)
      const [x, given] = [randomBatch([2], [-2, 2], 4, key(1)), randomBatch([2, 2], [-2, 2], 4, key(2))]
      const [z] = b
        .given(given as never)
        .bind(params)
        .forward(x as never)
      const contexts = rowsOf(values(given), 4)
      const expected = rowsOf(values(x), 2).flatMap((row, i) =>
        solved(velocity(params, hidden, contexts[i]), 1, 0, 3, row),
      )
      expect(worst(values(z), expected)).toBeLessThan(3e-6)
      const fresh = b.init(key(0))
      expect(
        rowsOf(values(fresh['kernel0']), hidden[0]!)
          .slice(3)
          .flat()
          .every((v) => v === 0),
      ).toBe(true)
      expect(
        values(
          b
            .given(given as never)
            .bind(fresh)
            .forward(x as never)[0],
        ),
      ).toEqual(values(x))
    })
  })
})

it('has errors of order 4: twice the steps, a sixteenth of the error of a round trip', () => {
  tf.tidy(() => {
    const x = randomBatch([2], [-2, 2], 64, key(1))
    const [coarse, fine] = [4, 8].map((steps) => {
      const b = atShape([2], continuous({ hidden: [8], steps }))
      const f = b.bind(randomParams(b, key(5), 0.8))
      return worst(values(f.inverse(f.forward(x as never)[0])[0]), values(x))
    })
    expect(coarse! / fine!).toBeGreaterThan(8)
  })
})

it('starts with hidden layers at random and the last at 0; only the rows of the context in the first are 0', () => {
  tf.tidy(() => {
    const p = atShape([2], continuous({ hidden: [5, 4] }), { given: [3] }).init(key(0))
    const zeros = [0, 1, 2].map((l) => values(p[`kernel${l}`]).map((v) => v === 0))
    expect(zeros[0]).toEqual(Array.from({ length: 30 }, (_, i) => i >= 15))
    expect(zeros[1]).toEqual(Array.from({ length: 20 }, () => false))
    expect(zeros[2]).toEqual(Array.from({ length: 8 }, () => true))
  })
})

it('takes a time for each example', () => {
  tf.tidy(() => {
    const b = atShape([2], continuous({ hidden: [4, 3] }))
    const params = randomParams(b, key(1))
    const x = randomBatch([2], [-2, 2], 3, key(1))
    const times = [0, 0.3, 1]
    const [u] = velocityOf(b)!(params, undefined).at(x as never, tf.tensor2d(times, [3, 1]))
    const expected = rowsOf(values(x), 2).flatMap((row, i) => velocity(params, [4, 3])(row, times[i]!))
    expect(worst(values([u]), expected)).toBeLessThan(2e-6)
  })
})

it.each([
  [{ hidden: [] }, 'continuous: expected one or two hidden widths, got 0'],
  [{ hidden: [1, 2, 3] }, 'continuous: expected one or two hidden widths, got 3'],
  [{ hidden: [0] }, 'continuous: expected a list of hidden widths, whole numbers from 1, got 0'],
  [{ steps: 0 }, 'continuous: expected a whole number of steps from 1, got 0'],
])('refuses %j', (options, sentence) => {
  expect(pipe(continuous(options).at([2]), E.mapLeft(describeError))).toEqual(E.left(sentence))
})
