/**
 * Every family of elementwise bijections against its formula, in doubles and written out for one variable: values, slopes
 * (differences of the formula) and inverses, at drawn numbers θ.
 */
import * as tf from '@tensorflow/tfjs-core'
import {
  atShape,
  couplingOf,
  elementwiseOf,
  flow,
  halves,
  key,
  mlp,
  type Transformer,
  Transformers,
  uniformBox,
} from 'diffeo'
import { ready, toOnnx } from 'diffeo/engine'
import { randomParams } from 'diffeo/laws'
import { type AnyTensor, leaves, normalArray, trust, uniformArray, unwrap } from 'diffeo/tensor'
import { beforeAll, describe, expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { values } from '../support.js'

beforeAll(async () => {
  await ready('cpu')
})

type Formula = (x: number) => number
interface Row {
  readonly transformer: Transformer
  /** g(x; θ) in doubles. */
  readonly formula: (theta: readonly number[]) => Formula
  /** Where inputs are drawn from. Default: [−5, 5], beyond the bound too */
  readonly domain?: readonly [low: number, high: number]
  /** How far from the identity θ = 0 is on [−3, 3]. Default: rounding */
  readonly start?: number
  /** The error of values, relative to the largest. Default: 2·10⁻⁶ */
  readonly tolerance?: number
}

const bounded = (a: number): number => 2 * Math.tanh(a / 2)
const sigma = (x: number): number => 1 / (1 + Math.exp(-x))
const softplus = (x: number): number => Math.log1p(Math.exp(x))
const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0)
const until = (xs: readonly number[], k: number): number => sum(xs.slice(0, k))
const softmax = (xs: readonly number[]): readonly number[] => xs.map((x) => Math.exp(x) / sum(xs.map(Math.exp)))
const shares = (xs: readonly number[]): readonly number[] =>
  softmax(xs.map(bounded)).map((p) => (1 - 0.01 * xs.length) * p + 0.01)
const slopeOf = (a: number): number => softplus(a + Math.log(Math.expm1(0.99))) + 0.01
const pieceOf = (x: number, widths: readonly number[], start: number): number =>
  Math.max(
    0,
    widths.findLastIndex((_, k) => x >= start + until(widths, k)),
  )
const insideOf =
  (bound: number, f: Formula): Formula =>
  (x) =>
    Math.abs(x) < bound ? f(x) : x
/** Straight beyond ±3, with the slopes of the ends. */
const straight =
  (f: Formula): Formula =>
  (x) => {
    const at = Math.min(3, Math.max(-3, x))
    const h = 1e-6 * (at > 0 ? -1 : 1)
    // a one-sided difference of second order
    const slope = () => (4 * f(at + h) - 3 * f(at) - f(at + 2 * h)) / (2 * h)
    return x === at ? f(x) : f(at) + slope() * (x - at)
  }
/** ∫₀ˣ f by Simpson's rule. */
const integral =
  (f: Formula): Formula =>
  (x) => {
    const [n, h] = [100, x / 100]
    return (
      (h / 3) * sum(Array.from({ length: n + 1 }, (_, i) => (i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2) * f(i * h)))
    )
  }
const rationalQuadratic =
  (width: readonly number[], height: readonly number[], slopes: readonly number[], start: number): Formula =>
  (x) => {
    const k = pieceOf(x, width, start)
    const [w, h, d0, d1] = [width[k]!, height[k]!, slopes[k]!, slopes[k + 1]!]
    const [xi, s] = [(x - start - until(width, k)) / w, h / w]
    const rest = xi * (1 - xi)
    return start + until(height, k) + (h * (s * xi ** 2 + d0 * rest)) / (s + (d1 + d0 - 2 * s) * rest)
  }
const logits = (theta: readonly number[], n: number): Formula => {
  const weights = softmax(theta.slice(0, n))
  const places = weights.map((_, k) => (n === 1 ? 0 : -1 + (2 * k) / (n - 1)))
  const size = Math.sqrt(1 - (sum(places.map((m) => m * m)) / n) * (3 / Math.PI ** 2))
  const parts = (x: number) =>
    weights.map((_, k) => (x - places[k]! - theta[n + k]!) / (size * Math.exp(bounded(theta[2 * n + k]!))))
  const total = (x: number, sign: number) => sum(parts(x).map((u, k) => weights[k]! * sigma(sign * u)))
  return (x) => Math.log(total(x, 1)) - Math.log(total(x, -1))
}
const choose = (m: number, k: number): number => (k === 0 ? 1 : (choose(m, k - 1) * (m - k + 1)) / k)

const families: Readonly<Record<string, Row>> = {
  'affine, free log scale': {
    transformer: Transformers.affine({ logScale: 'free' }),
    formula:
      ([s, t]) =>
      (x) =>
        x * Math.exp(s!) + t!,
  },
  additive: {
    transformer: Transformers.additive(),
    formula:
      ([t]) =>
      (x) =>
        x + t!,
  },
  spline: {
    transformer: Transformers.spline({ bins: 5 }),
    formula: (theta) => {
      const [width, height] = [0, 5].map((from) => shares(theta.slice(from, from + 5)).map((w) => 6 * w))
      const slopes = [1, ...theta.slice(10).map((a) => slopeOf(bounded(a))), 1]
      return insideOf(3, rationalQuadratic(width!, height!, slopes, -3))
    },
  },
  circularSpline: {
    transformer: Transformers.circularSpline({ bins: 5, period: 10, from: -4 }),
    domain: [-4, 6],
    formula: (theta) => {
      const [width, height] = [0, 5].map((from) => shares(theta.slice(from, from + 5)).map((w) => 10 * w))
      const slopes = theta.slice(10, 15).map((a) => slopeOf(bounded(a)))
      const f = rationalQuadratic(width!, height!, [slopes.at(-1)!, ...slopes], -4)
      return (x) => {
        const y = f(x) + theta[15]!
        return y >= 6 ? y - 10 : y < -4 ? y + 10 : y
      }
    },
  },
  linearSpline: {
    transformer: Transformers.linearSpline({ bins: 5 }),
    formula: (theta) => {
      const height = shares(theta).map((h) => 6 * h)
      return insideOf(3, (x) => {
        const k = Math.floor((x + 3) / 1.2)
        return -3 + until(height, k) + (height[k]! / 1.2) * (x + 3 - 1.2 * k)
      })
    },
  },
  quadraticSpline: {
    transformer: Transformers.quadraticSpline({ bins: 4 }),
    formula: (theta) => {
      const width = shares(theta.slice(0, 4)).map((w) => 6 * w)
      const free = theta.slice(4).map((a) => slopeOf(bounded(a)))
      const area = sum(free.map((s, k) => (s * (width[k]! + width[k + 1]!)) / 2))
      const slopes = [1, ...free.map((s) => (s * (6 - (width[0]! + width[3]!) / 2)) / area), 1]
      const slope = (x: number) => {
        const k = pieceOf(x, width, -3)
        return slopes[k]! + ((slopes[k + 1]! - slopes[k]!) * (x + 3 - until(width, k))) / width[k]!
      }
      // the integral of a line is its middle by its length
      const piece = (from: number, to: number) => ((slope(from) + slope(to - 1e-12)) / 2) * (to - from)
      return insideOf(3, (x) => {
        const k = pieceOf(x, width, -3)
        const knots = width.map((_, i) => -3 + until(width, i))
        return -3 + sum(knots.slice(0, k).map((from, i) => piece(from, from + width[i]!))) + piece(knots[k]!, x)
      })
    },
  },
  mixture: {
    transformer: Transformers.mixture({ components: 4 }),
    start: 0.06,
    formula: (theta) => {
      const f = logits(theta, 4)
      return (x) => f(x) * Math.exp(bounded(theta[12]!)) + theta[13]!
    },
  },
  sigmoidal: {
    transformer: Transformers.sigmoidal({ units: 3, layers: 2 }),
    start: 0.2,
    formula: (theta) => {
      const [first, second] = [logits(theta.slice(0, 9), 3), logits(theta.slice(9), 3)]
      return (x) => second(first(x))
    },
  },
  bernstein: {
    transformer: Transformers.bernstein({ degree: 6 }),
    formula: (theta) => {
      const steps = shares(theta).map((d) => 6 * d)
      return straight((x) => {
        const u = (x + 3) / 6
        return sum(
          Array.from({ length: 7 }, (_, k) => (-3 + until(steps, k)) * choose(6, k) * u ** k * (1 - u) ** (6 - k)),
        )
      })
    },
  },
  sumOfSquares: {
    transformer: Transformers.sumOfSquares({ polynomials: 2, degree: 3 }),
    formula: (theta) => {
      const p = (k: number, t: number) =>
        Math.sqrt((2 * (k + 1)) / 3) + sum([1, 2, 3].map((l) => 4 * bounded(theta[(l - 1) * 2 + k]!) * (t / 3) ** l))
      const f = integral((t) => 0.01 + (0.99 / 2) * (p(0, t) ** 2 + p(1, t) ** 2))
      return straight((x) => f(x) + theta[6]!)
    },
  },
  monotoneNet: {
    transformer: Transformers.monotoneNet({ hidden: 4 }),
    tolerance: 1e-5, // of the quadrature
    formula: (theta) => {
      const [v, w, b] = [0, 4, 8].map((from) => theta.slice(from, from + 4).map(bounded))
      const unit = (t: number, j: number) =>
        v![j]! * Math.tanh(Math.exp(0.5 * w![j]!) * (t - (1.5 * (j + 0.5) - 3) - b![j]!))
      const f = integral((t) => slopeOf(bounded(theta[12]!) + sum([0, 1, 2, 3].map((j) => unit(t, j)))))
      return straight((x) => f(x) + theta[13]!)
    },
  },
}

/** Both directions at numbers θ for one variable. */
const through = ({ transformer }: Row, theta: readonly number[], xs: readonly number[]) =>
  tf.tidy(() => {
    const f = atShape([1], elementwiseOf(transformer)).bind({
      theta: trust(tf.tensor2d([...theta], [1, theta.length])),
    })
    const [y, logDet] = f.forward(trust(tf.tensor2d([...xs], [xs.length, 1])))
    const [back, backLogDet] = f.inverse(y)
    return { y: values(y), logDet: values(logDet), back: values(back), backLogDet: values(backLogDet) }
  })
const worst = (errors: readonly number[]): number => Math.max(...errors)

describe.each(Object.entries(families))('%s', (_, row) => {
  const { transformer, formula, domain: [low, high] = [-5, 5], tolerance = 2e-6, start = 0 } = row
  const drawn = Array.from(uniformArray(key(1), 60), (u) => Math.fround(low + (high - low) * u))
  it.each([0.3, 1, 3])('has the values, slopes and inverse of its formula, at θ of size %d', (size) => {
    for (const seed of [1, 2]) {
      const theta = Array.from(normalArray(key(seed), transformer.width), (z) => Math.fround(size * z))
      const f = formula(theta)
      const slope = (x: number) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
      // a difference says nothing of a slope that jumps
      const xs = drawn.filter(
        (x) => Math.abs(slope(x) - (f(x + 1e-4) - f(x - 1e-4)) / 2e-4) < 1e-3 * Math.abs(slope(x)) && slope(x) > 0,
      )
      expect(xs.length).toBeGreaterThan(45)
      const got = through(row, theta, xs)
      // roundings of y, and of x by the slope
      const scale = xs.map((x) => 1 + Math.abs(f(x)) + Math.abs(x) * slope(x))
      expect(worst(xs.map((x, i) => Math.abs(got.y[i]! - f(x)) / scale[i]!))).toBeLessThan(tolerance)
      expect(worst(xs.map((x, i) => Math.abs(got.logDet[i]! - Math.log(slope(x)))))).toBeLessThan(2e-3)
      // what a few roundings of y are in x
      const rounding = xs.map((x, i) => 2 ** -20 * (1 + Math.abs(x) + scale[i]! / slope(x)))
      expect(worst(xs.map((x, i) => Math.abs(got.back[i]! - x) / rounding[i]!))).toBeLessThan(1)
    }
  })
  it('is the identity at θ = 0, or as close to it as its docstring says', () => {
    const inner = drawn.filter((x) => Math.abs(x) < 3)
    const { y, logDet } = through(
      row,
      Array.from({ length: transformer.width }, () => 0),
      start === 0 ? drawn : inner,
    )
    const errors = y.map((v, i) => Math.abs(v - (start === 0 ? drawn : inner)[i]!))
    expect(worst(errors)).toBeLessThan(start === 0 ? 5e-6 : start)
    expect(worst(logDet.map(Math.abs))).toBeLessThan(start === 0 ? 1e-5 : 2 * start)
  })
  it('is exported at a context, with a batch of any size, in both directions', async () => {
    const b = atShape([3], couplingOf(transformer)(halves(), mlp({ hidden: [4] })), { given: [2] })
    const params = randomParams(b.spec, key(4), 0.5)
    const run = ([x, c]: readonly tf.Tensor[]) => {
      const f = b.given(trust(c!)).bind(params)
      const [y, logDet] = f.forward(trust(x!))
      const [back, backLogDet] = f.inverse(y)
      return [y, logDet, back, backLogDet].map(unwrap)
    }
    const inputs = [
      { name: 'x', shape: [3] },
      { name: 'c', shape: [2] },
    ]
    const model = toOnnx({ inputs, outputs: ['y', 'logDet', 'back', 'backLogDet'], run })
    const infer = await runOnnx(model)
    const x = Float32Array.from(drawn.slice(0, 15))
    const c = Float32Array.from(normalArray(key(5), 10))
    const got = await infer([
      { name: 'x', shape: [5, 3], data: x },
      { name: 'c', shape: [5, 2], data: c },
    ])
    const wanted = tf.tidy(() => run([tf.tensor2d(x, [5, 3]), tf.tensor2d(c, [5, 2])]).map((t) => [...t.dataSync()]))
    ;['y', 'logDet', 'back', 'backLogDet'].forEach((name, i) => {
      const errors = [...got[name]!].map((v, k) => Math.abs(v - wanted[i]![k]!) / (1 + Math.abs(wanted[i]![k]!)))
      expect({ [name]: worst(errors) < 1e-4 }).toEqual({ [name]: true })
    })
    expect(worst([...got['back']!].map((v, k) => Math.abs(v - x[k]!)))).toBeLessThan(1e-3)
    tf.dispose(leaves<AnyTensor>(params).map(([, leaf]) => unwrap(leaf)))
  })
})

it('a steep sigmoidal family has the values again that its inverse started from', () => {
  const transformer = Transformers.sigmoidal()
  const row = { transformer, formula: () => (x: number) => x }
  const theta = Array.from(normalArray(key(21), transformer.width), (z) => Math.fround(6 * z))
  const xs = Array.from(uniformArray(key(1), 500), (u) => 10 * u - 5)
  const { y, back } = through(row, theta, xs)
  const again = through(row, theta, back).y
  expect(worst(again.map((v, i) => Math.abs(v - y[i]!) / (1 + Math.abs(y[i]!))))).toBeLessThan(1e-5)
})

describe('a circular spline', () => {
  const circular = Transformers.circularSpline()
  const params = (b: { readonly spec: Parameters<typeof randomParams>[0] }) => randomParams(b.spec, key(3), 1)
  const rows = (xs: readonly (readonly number[])[]): never => trust(tf.tensor2d(xs.map((x) => [...x]))) as never

  it('is smooth where the ends of the interval meet', () => {
    tf.tidy(() => {
      const b = atShape([1], elementwiseOf(circular))
      const [, logDet] = b.bind(params(b)).forward(rows([[-Math.PI], [Math.PI]]))
      const [low, high] = values(logDet)
      expect(Math.abs(low!)).toBeGreaterThan(0.1)
      expect(low).toBeCloseTo(high!, 4)
    })
  })

  it('makes a density on the circle, of mass 1', () => {
    tf.tidy(() => {
      const density = flow(atShape([1], elementwiseOf(circular)), uniformBox(-Math.PI, Math.PI))
      const n = 2000
      const xs = Array.from({ length: n }, (_, i) => [((i + 0.5) / n - 0.5) * 2 * Math.PI])
      const logProbs = values(density.logProb(params(density))(rows(xs)))
      expect(Math.max(...logProbs) - Math.min(...logProbs)).toBeGreaterThan(0.5)
      expect((sum(logProbs.map(Math.exp)) / n) * 2 * Math.PI).toBeCloseTo(1, 3)
      expect(values(density.logProb(params(density))(rows([[4], [-3.2]])))).toEqual([-Infinity, -Infinity])
    })
  })

  it('in a coupling refuses angles outside of the interval, but takes any numbers that the mask keeps', () => {
    tf.tidy(() => {
      const b = atShape([2], couplingOf(circular)(halves(), mlp({ hidden: [4] })))
      const f = b.bind(params(b))
      const [kept, inside, outside] = values(
        f.forward(
          rows([
            [9, 1],
            [1, 1],
            [1, 4],
          ]),
        )[1],
      )
      expect([kept, inside].every(Number.isFinite)).toBe(true)
      expect(outside).toBe(-Infinity)
      expect(values(f.inverse(rows([[1, -4]]))[1])).toEqual([-Infinity])
    })
  })
})
