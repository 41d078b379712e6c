/**
 * Densities of the plane to try a flow on, each with its samples, its exact log-density and its entropy: the test NLL
 * that no model can beat.
 *
 * All but the correlated normal are Gaussian noise around a path γ: [0, 1) → ℝ²:
 *
 *   p(x) = ∫₀¹ N(x; γ(u), σ²I) du,     x = γ(u) + σε,  u uniform, ε standard normal.
 *
 * The integral is a quadrature Σ wⱼ N(x; γ(uⱼ), σ²I) whose nodes lie closer than σ, where it is exact to double
 * precision; the entropy −∫ p ln p is a sum over a grid of step σ/2 that reaches 7σ beyond the path, exact for the same
 * reason. All densities and entropies are in nats.
 *
 * Paths as in scikit-learn's `make_moons` and `make_circles`, but with u drawn at random instead of equally spaced, so
 * that examples are independent.
 *
 * @module
 */
import { type Key, normalArray, splitKey, uniformArray } from '../tensor/random.js'

/** A density of the plane. Points are interleaved x and y: n points are 2n numbers. */
export interface Toy {
  readonly name: string
  /** Draws `n` independent points. */
  readonly sample: (key: Key, n: number) => Float32Array
  /** The log-density of each point, in nats. */
  readonly logProb: (points: Float32Array) => Float32Array
  /** −E ln p in nats, the lowest possible mean NLL; each call computes it, which may take two seconds. */
  readonly entropy: () => number
}

type Point = readonly [number, number]

/** A place on the path and its share of the probability. */
interface Node {
  readonly at: Point
  readonly weight: number
}

/**
 * Fejér's first rule on [0, 1]: nodes at the zeros of a Chebyshev polynomial, at most π/2n apart.
 * Waldvogel, "Fast construction of the Fejér and Clenshaw–Curtis quadrature rules", BIT 46 (2006).
 */
const fejer = (n: number): ReadonlyArray<{ readonly u: number; readonly weight: number }> =>
  Array.from({ length: n }, (_, j) => {
    const angle = ((j + 0.5) * Math.PI) / n
    let sum = 0
    for (let k = 1; k <= n / 2; k++) sum += Math.cos(2 * k * angle) / (4 * k * k - 1)
    return { u: (1 - Math.cos(angle)) / 2, weight: (1 - 2 * sum) / n }
  })

/** Beyond this, 1 + exp(−x) is 1 in double precision. */
const NOTHING = 40

const logDensity = (sigma: number, nodes: readonly Node[]): ((x: number, y: number) => number) => {
  const [xs, ys, weights] = [(n: Node) => n.at[0], (n: Node) => n.at[1], (n: Node) => n.weight].map((f) =>
    Float64Array.from(nodes, f),
  ) as [Float64Array, Float64Array, Float64Array]
  const squares = new Float64Array(nodes.length)
  const scale = 1 / (2 * sigma * sigma)
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY
    for (let i = 0; i < squares.length; i++) {
      const square = ((x - xs[i]!) ** 2 + (y - ys[i]!) ** 2) * scale
      squares[i] = square
      if (square < nearest) nearest = square
    }
    // Relative to the nearest node, so that the logarithm stays finite however far away the point is.
    let sum = 0
    for (let i = 0; i < squares.length; i++) {
      const beyond = squares[i]! - nearest
      if (beyond < NOTHING) sum += weights[i]! * Math.exp(-beyond)
    }
    return Math.log(sum) - nearest - Math.log(2 * Math.PI * sigma * sigma)
  }
}

const gridEntropy = (sigma: number, nodes: readonly Node[]): number => {
  const log = logDensity(sigma, nodes)
  const step = sigma / 2
  const reach = (axis: 0 | 1): readonly [low: number, count: number] => {
    const places = nodes.map((n) => n.at[axis])
    const low = Math.min(...places) - 7 * sigma
    return [low, Math.ceil((Math.max(...places) + 7 * sigma - low) / step)]
  }
  const [left, columns] = reach(0)
  const [bottom, rows] = reach(1)
  let sum = 0
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < rows; j++) {
      const l = log(left + i * step, bottom + j * step)
      sum -= Math.exp(l) * l
    }
  return sum * step * step
}

/** Gaussian noise around a path; `nodes` is lazy because sampling does not need it. */
const noisyPath = (name: string, sigma: number, path: (u: number) => Point, nodes: () => readonly Node[]): Toy => ({
  name,
  sample: (key, n) => {
    const [kPath, kNoise] = splitKey(key)
    const places = uniformArray(kPath, n)
    return normalArray(kNoise, 2 * n).map((noise, i) => (path(places[i >> 1] ?? 0)[i & 1] ?? 0) + sigma * noise)
  },
  logProb: (points) => {
    const log = logDensity(sigma, nodes())
    return Float32Array.from({ length: points.length / 2 }, (_, i) => log(points[2 * i] ?? 0, points[2 * i + 1] ?? 0))
  },
  entropy: () => gridEntropy(sigma, nodes()),
})

/**
 * Arcs of equal probability, on which s ∈ [0, 1] is drawn with density power · s^(power − 1).
 *
 * @param speed the largest |dγ/ds|
 */
const noisyArcs = (
  name: string,
  sigma: number,
  speed: number,
  arcs: ReadonlyArray<(s: number) => Point>,
  power = 1,
): Toy => {
  const path = (u: number): Point => {
    const arc = Math.floor(u * arcs.length)
    return arcs[arc]!((u * arcs.length - arc) ** (1 / power))
  }
  // The widest gap, in the middle, is then 0.8 σ.
  const nodes = () =>
    fejer(Math.ceil((2 * speed) / sigma)).flatMap(({ u, weight }) =>
      arcs.map((arc) => ({ at: arc(u), weight: (weight * power * u ** (power - 1)) / arcs.length })),
    )
  return noisyPath(name, sigma, path, nodes)
}

const circle =
  (radius: number) =>
  (s: number): Point => [radius * Math.cos(2 * Math.PI * s), radius * Math.sin(2 * Math.PI * s)]

/**
 * Two interleaved half circles of radius 1: (cos t, sin t) and (1 − cos t, ½ − sin t), t in [0, π).
 *
 * @param noise the standard deviation σ > 0 of the noise; default: .05.
 * @example twoMoons({ noise: 0.1 }).sample(key(0), 1000)
 */
export const twoMoons = ({ noise = 0.05 } = {}): Toy =>
  noisyArcs('two moons', noise, Math.PI, [
    (s) => [Math.cos(Math.PI * s), Math.sin(Math.PI * s)],
    (s) => [1 - Math.cos(Math.PI * s), 0.5 - Math.sin(Math.PI * s)],
  ])

/**
 * Two circles around the origin, of radius 1 and `factor`, with half of the probability each.
 *
 * @param noise the standard deviation σ > 0 of the noise; default: .05.
 * @example circles({ factor: 0.5 }).entropy() // 0.61
 */
export const circles = ({ factor = 0.5, noise = 0.05 } = {}): Toy =>
  noisyArcs('circles', noise, 2 * Math.PI * Math.max(1, factor), [circle(1), circle(factor)])

/**
 * Four circles around the origin, of radius ¾, 1½, 2¼ and 3, with a quarter of the probability each, as in FFJORD.
 *
 * @param noise the standard deviation σ > 0 of the noise; default: .08.
 * @example rings().entropy() // 2.623
 */
export const rings = ({ noise = 0.08 } = {}): Toy =>
  noisyArcs('rings', noise, 6 * Math.PI, [0.75, 1.5, 2.25, 3].map(circle))

/**
 * Two spirals of one and a half turns, ±(−cos t, sin t)·t/3 with t = 3π√u, u uniform: those of FFJORD, with only
 * Gaussian noise.
 *
 * @param noise the standard deviation σ > 0 of the noise; default: .1.
 * @example spirals().entropy() // 2.541
 */
export const spirals = ({ noise = 0.1 } = {}): Toy => {
  const arm =
    (sign: 1 | -1) =>
    (s: number): Point => {
      const t = 3 * Math.PI * s
      return [(-sign * t * Math.cos(t)) / 3, (sign * t * Math.sin(t)) / 3]
    }
  return noisyArcs('spirals', noise, Math.PI * Math.hypot(1, 3 * Math.PI), [arm(1), arm(-1)], 2)
}

/** Gaussians of one standard deviation and equal probability. */
const gaussians = (name: string, sigma: number, centres: readonly Point[]): Toy => {
  const nodes = centres.map((at) => ({ at, weight: 1 / centres.length }))
  return noisyPath(
    name,
    sigma,
    (u) => centres[Math.floor(centres.length * u)]!,
    () => nodes,
  )
}

/**
 * Eight Gaussians of standard deviation ½/√2 on a circle of radius 4/√2, as in FFJORD: Grathwohl et al., ICLR 2019.
 *
 * @example eightGaussians.entropy() // 2.83
 */
export const eightGaussians: Toy = gaussians(
  'eight Gaussians',
  0.5 / Math.SQRT2,
  Array.from({ length: 8 }, (_, i) => circle(4 / Math.SQRT2)(i / 8)),
)

/**
 * Twenty-five Gaussians of standard deviation .05 on the grid {−4, −2, 0, 2, 4}², which hardly overlap: the entropy
 * is ln 25 + 1 + ln 2πσ² to double precision.
 *
 * @example twentyFiveGaussians.entropy() // 0.065
 */
export const twentyFiveGaussians: Toy = gaussians(
  'twenty-five Gaussians',
  0.05,
  Array.from({ length: 25 }, (_, i) => [2 * (i % 5) - 4, 2 * Math.floor(i / 5) - 4] as const),
)

/**
 * A normal density with unit variances and correlation ρ, |ρ| < 1. Entropy: 1 + ln 2π + ½ ln(1 − ρ²).
 *
 * @example correlatedNormal({ rho: 0.8 }).entropy() // 2.327
 */
export const correlatedNormal = ({ rho = 0.8 } = {}): Toy => {
  const determinant = 1 - rho * rho
  const logNorm = Math.log(2 * Math.PI) + Math.log(determinant) / 2
  return {
    name: 'correlated normal',
    sample: (key, n) => {
      const out = normalArray(key, 2 * n)
      for (let i = 0; i < 2 * n; i += 2) out[i + 1] = rho * (out[i] ?? 0) + Math.sqrt(determinant) * (out[i + 1] ?? 0)
      return out
    },
    logProb: (points) =>
      Float32Array.from({ length: points.length / 2 }, (_, i) => {
        const x = points[2 * i] ?? 0
        const y = points[2 * i + 1] ?? 0
        return -(x * x - 2 * rho * x * y + y * y) / (2 * determinant) - logNorm
      }),
    entropy: () => 1 + logNorm,
  }
}
