/**
 * Laws of the density of a bijector and the standard normal, by quadrature in one and two dimensions.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { AnyBijector } from '../bijector/layer.js'
import { standardNormal } from '../distribution/base.js'
import { flow } from '../distribution/flow.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, trust } from '../tensor/tensor.js'
import type { Claims, Draw, Law } from './law.js'
import { agree, every, lawful, read, type Verdict, violates } from './verdict.js'

const applies = (b: AnyBijector, { mass }: Claims): boolean => mass !== undefined && product(b.domain) <= 2

/** The middles and widths of about `n` cells between bounds, none of which has a kink inside. */
const cellsOf = ([low, high]: readonly [number, number], kinks: readonly number[], n: number) => {
  const ends = [low, ...kinks.filter((kink) => kink > low && kink < high).toSorted((a, b) => a - b), high]
  return ends.slice(1).flatMap((end, i) => {
    const from = ends[i]!
    const count = Math.max(1, Math.round((n * (end - from)) / (high - low)))
    const width = (end - from) / count
    return Array.from({ length: count }, (_, k) => ({ at: from + (k + 0.5) * width, width }))
  })
}

/** The middles of the cells of a grid over the mass, and log p there, where that is a number. */
const quadrature = (b: AnyBijector, { params, claims: { mass, kinks = [] } }: Draw) => {
  const dimensions = product(b.domain)
  const cells = cellsOf(mass!, kinks, dimensions === 1 ? 4000 : 160)
  const grid =
    dimensions === 1
      ? cells.map(({ at, width }) => ({ point: [at], size: width }))
      : cells.flatMap((p) => cells.map((q) => ({ point: [p.at, q.at], size: p.width * q.width })))
  const points = grid.map(({ point }) => point)
  const x = trust(tf.tensor(points.flat(), [points.length, ...b.domain])) as AnyTensor
  const logP = read(flow(b, standardNormal).logProb(params)(x))
  const expectation = (g: (point: readonly number[], logP: number) => number): number =>
    logP.reduce((sum, l, i) => {
      const p = Math.exp(l) * grid[i]!.size
      return p > 0 ? sum + p * g(points[i]!, l) : sum + p
    }, 0)
  return { expectation, dimensions }
}

export const density = {
  mass: {
    rank: 'density',
    applies,
    heavy: true,
    holds: (b, draw) => agree('the integral of the density', [quadrature(b, draw).expectation(() => 1)], [1], 1e-2),
  },
  samples: {
    rank: 'density',
    applies,
    heavy: true,
    holds: (b, draw) => {
      const { expectation, dimensions } = quadrature(b, draw)
      const n = 2000
      const f = flow(b, standardNormal)
      const x = f.sample(draw.params)(draw.key, n) as AnyTensor
      const logP = read(f.logProb(draw.params)(x))
      const points = read(x)
      const compare = (
        what: string,
        drawn: readonly number[],
        g: (p: readonly number[], logP: number) => number,
      ): Verdict => {
        const mean = drawn.reduce((a, v) => a + v, 0) / n
        const deviation = Math.sqrt(drawn.reduce((a, v) => a + (v - mean) ** 2, 0) / n)
        const expected = expectation(g)
        // six standard errors: one false alarm in 10⁹; and the quadrature's own error
        const bound = (6 * deviation) / Math.sqrt(n) + 1e-2 * Math.max(1, Math.abs(expected))
        return Math.abs(mean - expected) <= bound ? lawful : violates(what, expected, mean)
      }
      const axis = (k: number) => points.filter((_, i) => i % dimensions === k)
      return every(
        () => compare('the mean log-probability of samples', logP, (_, l) => l),
        ...Array.from(
          { length: dimensions },
          (_, k) => () => compare(`the mean of coordinate ${k} of samples`, axis(k), (p) => p[k]!),
        ),
        ...Array.from(
          { length: dimensions },
          (_, k) => () =>
            compare(
              `the second moment of coordinate ${k} of samples`,
              axis(k).map((v) => v * v),
              (p) => p[k]! ** 2,
            ),
        ),
      )
    },
  },
  bits: {
    rank: 'density',
    applies: (b, claims) => applies(b, claims) && product(b.domain) === 1,
    heavy: true,
    holds: (b, draw) => {
      const [low, high] = draw.claims.mass!
      const [first, bins, per] = [Math.ceil(low), Math.min(64, Math.floor(high) - Math.ceil(low)), 64]
      const x: AnyTensor = trust(
        tf.tensor(
          Array.from({ length: bins * per }, (_, i) => first + (i + 0.5) / per),
          [bins * per, ...b.domain],
        ),
      )
      const bits = read(flow(b, standardNormal).bitsPerDim(draw.params)(x))
      const logP = read(flow(b, standardNormal).logProb(draw.params)(x))
      const mean = (v: readonly number[]) => v.reduce((a, e) => a + e, 0) / v.length
      // Jensen: with noise added, an integer costs on average no less than −log₂ of its probability
      return Array.from({ length: bins }, (_, i) => i).reduce<Verdict>((so, i) => {
        const own = <A>(v: readonly A[]) => v.slice(i * per, (i + 1) * per)
        const [cost, code] = [mean(own(bits)), -Math.log2(mean(own(logP).map(Math.exp)))]
        return every(
          () => so,
          () =>
            agree(
              `bits/dim within bin ${first + i}`,
              own(bits),
              own(logP).map((l) => -l / Math.LN2),
              1e-4,
            ),
          () =>
            cost >= code - 1e-3 * Math.max(1, code) || code === Infinity
              ? lawful
              : violates(`bits of bin ${first + i}`, `at least ${code}`, cost),
        )
      }, lawful)
    },
  },
} satisfies Readonly<Record<string, Law>>
