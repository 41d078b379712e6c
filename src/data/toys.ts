/**
 * Densities of the plane to try a flow on, each with its samples, its exact log-density and its entropy: the test NLL
 * that no model can beat.
 *
 * Moons, circles and the ring of eight are one thing, Gaussian noise around a path γ: [0, 1) → ℝ²:
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
import { type Key, normalArray, split, uniformArray } from '../tensor/random.js'

/** A density of the plane. Points are x and y in turn: n points are 2n numbers. */
export interface Toy {
  readonly name: string
  /** `n` independent points. */
  readonly sample: (key: Key, n: number) => Float32Array
  /** The log-density of each point, in nats. */
  readonly logProb: (points: Float32Array) => Float32Array
  /** −E ln p in nats, the best mean NLL there is; computed at each call, which takes up to a second. */
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

const logDensity =
  (sigma: number, nodes: readonly Node[]) =>
  (x: number, y: number): number => {
    const squared = ({ at: [a, b] }: Node): number => (x - a) ** 2 + (y - b) ** 2
    const nearest = nodes.reduce((least, node) => Math.min(least, squared(node)), Number.POSITIVE_INFINITY)
    // Relative to the nearest node, so that the logarithm stays finite however far away the point is.
    const sum = nodes.reduce((s, n) => s + n.weight * Math.exp((nearest - squared(n)) / (2 * sigma * sigma)), 0)
    return Math.log(sum) - nearest / (2 * sigma * sigma) - Math.log(2 * Math.PI * sigma * sigma)
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
    const [kPath, kNoise] = split(key)
    const places = uniformArray(kPath, n)
    return normalArray(kNoise, 2 * n).map((noise, i) => (path(places[i >> 1] ?? 0)[i & 1] ?? 0) + sigma * noise)
  },
  logProb: (points) => {
    const log = logDensity(sigma, nodes())
    return Float32Array.from({ length: points.length / 2 }, (_, i) => log(points[2 * i] ?? 0, points[2 * i + 1] ?? 0))
  },
  entropy: () => gridEntropy(sigma, nodes()),
})

/** Two arcs of equal shares, each no longer than `length`. */
const twoArcs = (
  name: string,
  sigma: number,
  length: number,
  first: (s: number) => Point,
  second: (s: number) => Point,
): Toy => {
  const path = (u: number): Point => (u < 0.5 ? first(2 * u) : second(2 * u - 1))
  // The widest gap, in the middle, is then 0.8 σ.
  const nodes = () =>
    fejer(Math.ceil((2 * length) / sigma)).flatMap(({ u, weight }) =>
      [first(u), second(u)].map((at) => ({ at, weight: weight / 2 })),
    )
  return noisyPath(name, sigma, path, nodes)
}

/**
 * Two interleaved half circles of radius 1: (cos t, sin t) and (1 − cos t, ½ − sin t), t in [0, π).
 *
 * @param noise the standard deviation σ > 0 of the noise; .05 unless told.
 * @example twoMoons({ noise: 0.1 }).sample(key(0), 1000)
 */
export const twoMoons = ({ noise = 0.05 } = {}): Toy =>
  twoArcs(
    'two moons',
    noise,
    Math.PI,
    (s) => [Math.cos(Math.PI * s), Math.sin(Math.PI * s)],
    (s) => [1 - Math.cos(Math.PI * s), 0.5 - Math.sin(Math.PI * s)],
  )

/**
 * Two circles around the origin, of radius 1 and `factor`, with half of the probability each.
 *
 * @param noise the standard deviation σ > 0 of the noise; .05 unless told.
 * @example circles({ factor: 0.5 }).entropy() // 0.61
 */
export const circles = ({ factor = 0.5, noise = 0.05 } = {}): Toy => {
  const circle =
    (radius: number) =>
    (s: number): Point => [radius * Math.cos(2 * Math.PI * s), radius * Math.sin(2 * Math.PI * s)]
  return twoArcs('circles', noise, 2 * Math.PI * Math.max(1, factor), circle(1), circle(factor))
}

/**
 * Eight Gaussians of standard deviation ½/√2 on a circle of radius 4/√2, as in FFJORD: Grathwohl et al., ICLR 2019.
 *
 * @example eightGaussians.entropy() // 2.83
 */
export const eightGaussians: Toy = (() => {
  const centre = (u: number): Point => {
    const angle = (2 * Math.PI * Math.floor(8 * u)) / 8
    return [(4 / Math.SQRT2) * Math.cos(angle), (4 / Math.SQRT2) * Math.sin(angle)]
  }
  const nodes = Array.from({ length: 8 }, (_, i) => ({ at: centre(i / 8), weight: 1 / 8 }))
  return noisyPath('eight Gaussians', 0.5 / Math.SQRT2, centre, () => nodes)
})()

/**
 * A normal density with unit variances and correlation ρ, |ρ| < 1. Entropy: 1 + ln 2π + ½ ln(1 − ρ²).
 *
 * @example correlatedNormal({ rho: 0.8 }).entropy() // 2.327
 */
export const correlatedNormal = ({ rho = 0.8 } = {}): Toy => {
  const rest = 1 - rho * rho
  const logNorm = Math.log(2 * Math.PI) + Math.log(rest) / 2
  return {
    name: 'correlated normal',
    sample: (key, n) => {
      const out = normalArray(key, 2 * n)
      for (let i = 0; i < 2 * n; i += 2) out[i + 1] = rho * (out[i] ?? 0) + Math.sqrt(rest) * (out[i + 1] ?? 0)
      return out
    },
    logProb: (points) =>
      Float32Array.from({ length: points.length / 2 }, (_, i) => {
        const x = points[2 * i] ?? 0
        const y = points[2 * i + 1] ?? 0
        return -(x * x - 2 * rho * x * y + y * y) / (2 * rest) - logNorm
      }),
    entropy: () => 1 + logNorm,
  }
}
