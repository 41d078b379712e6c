/** Residual layers against their formula in float64. */
import * as tf from '@tensorflow/tfjs-core'
import { atShape, describeError, key, residual, type Shape } from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import type { Params } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { spectralBound } from '../../src/tensor/spectral.js'
import { randomParams, values } from '../support.js'
import { identity, jacobianOf, logAbsDet, norm, product, rowsOf, sum } from './reference.js'

type Row = readonly number[]
const worst = (a: Row, b: Row): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0)

/** y = x + g(x) in float64, with the weights divided by their exact norms times what the bound exceeds them by, at most. */
const mapOf =
  (p: Params, widths: Row, most: number, given: Row = []) =>
  (x: Row): Row => {
    const g = widths.reduce<Row>((h, to, l) => {
      const w = tf.tidy(() => {
        const kernel = p[`kernel${l}`] as never as tf.Tensor2D
        return values([tf.mul(kernel, tf.div(most, tf.maximum(spectralBound(kernel), most)))])
      })
      const offset = l === 0 && given.length > 0 ? product([given], rowsOf(values(p['context']), to))[0]! : []
      const y = product([h], rowsOf(w, to))[0]!.map((v, i) => v + values(p[`bias${l}`])[i]! + (offset[i] ?? 0))
      return l === widths.length - 1 ? y : y.map((v) => v / (1 + Math.exp(-v)) / 1.1)
    }, x)
    return x.map((v, i) => v + g[i]!)
  }

describe.each([[[9]], [[8, 7]]])('residual of hidden layers %j', (hidden) => {
  it.each([1, 2, 6])('is its formula, with its log-det and inverse, for %d variables', (d) => {
    tf.tidy(() => {
      const b = atShape([d], residual({ hidden }))
      const params = randomParams(b, key(d), 1.5)
      const map = mapOf(params, [...hidden, d], 0.9 ** (1 / (hidden.length + 1)))
      const x = randomBatch([d], [-3, 3], 8, key(1))
      const [y, logDet] = b.bind(params).forward(x as never)
      const rows = rowsOf(values(x), d)
      expect(worst(values(y), rows.flatMap(map))).toBeLessThan(2e-6)
      const jacobians = rows.map((row) => jacobianOf(map, row))
      expect(worst(values(logDet), jacobians.map(logAbsDet))).toBeLessThan(1e-5)
      for (const j of jacobians) expect(norm(sum(j, identity(d), -1))).toBeLessThan(0.9)
      const [back, opposite] = b.bind(params).inverse(y as never)
      expect(worst(values(back), values(x))).toBeLessThan(1e-5)
      expect(
        worst(
          values(opposite),
          jacobians.map((j) => -logAbsDet(j)),
        ),
      ).toBeLessThan(2e-5)
    })
  })
  it('sees the context, which starts without influence', () => {
    tf.tidy(() => {
      const b = atShape([2], residual({ hidden }), { given: [3] })
      const params = randomParams(b as never, key(3), 1)
      const [x, given] = [randomBatch([2], [-2, 2], 4, key(1)), randomBatch([3], [-2, 2], 4, key(2))]
      const [y] = b
        .given(given as never)
        .bind(params)
        .forward(x as never)
      const contexts = rowsOf(values(given), 3)
      const most = 0.9 ** (1 / (hidden.length + 1))
      const expected = rowsOf(values(x), 2).flatMap((row, i) => mapOf(params, [...hidden, 2], most, contexts[i])(row))
      expect(worst(values(y), expected)).toBeLessThan(2e-6)
      const fresh = b.init(key(0))
      expect(values(fresh['context']).every((v) => v === 0)).toBe(true)
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
  it('has an inverse with the gradients of the implicit function theorem', () => {
    tf.tidy(() => {
      const b = atShape([2], residual({ hidden }))
      const params = randomParams(b, key(3), 1.5)
      const y = randomBatch([2], [-2, 2], 4, key(1))
      const inverse = (bias: tf.Tensor, z: tf.Tensor) =>
        b.bind({ ...params, bias0: bias as never }).inverse(z as never)[0] as never as tf.Tensor
      const bias = params['bias0'] as never as tf.Tensor
      const [byBias, byValue] = tf.grads((u: tf.Tensor, v: tf.Tensor) => tf.sum(tf.square(inverse(u, v))))([
        bias,
        y as never,
      ])
      // central differences in float32
      const h = 2e-2
      const total = (u: tf.Tensor, v: tf.Tensor) => values([inverse(u, v)]).reduce((all, x) => all + x * x, 0)
      const step = (at: tf.Tensor, i: number, by: number) =>
        tf.tensor(
          values([at]).map((v, k) => v + (k === i ? by : 0)),
          at.shape,
        )
      values([byBias!]).forEach((g, i) => {
        const slope = (total(step(bias, i, h), y as never) - total(step(bias, i, -h), y as never)) / (2 * h)
        expect(Math.abs(g - slope)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)))
      })
      values([byValue!]).forEach((g, i) => {
        const at = y as never as tf.Tensor
        const slope = (total(bias, step(at, i, h)) - total(bias, step(at, i, -h))) / (2 * h)
        expect(Math.abs(g - slope)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)))
      })
    })
  })
})

it.each<[Parameters<typeof residual>[0], Shape, string]>([
  [{}, [65], 'residual: expected a vector of at most 64, got 65'],
  [{ coefficient: 1 }, [2], 'residual: expected a coefficient above 0 and below 1, got 1'],
  [{ coefficient: 0 }, [2], 'residual: expected a coefficient above 0 and below 1, got 0'],
  [{ hidden: [0] }, [2], 'residual: expected a list of hidden widths, whole numbers from 1, got 0'],
  [{ hidden: [] }, [2], 'residual: expected a whole number of hidden layers from 1, got 0'],
])('refuses %j at %j', (options, shape, sentence) => {
  expect(pipe(residual(options).at(shape), E.mapLeft(describeError))).toEqual(E.left(sentence))
})
