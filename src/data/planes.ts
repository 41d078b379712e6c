/**
 * Densities of the plane that are not noise around a path, and all densities by name.
 *
 * @module
 */
import { type Key, normalArray, splitKey, uniformArray } from '../tensor/random.js'
import {
  circles,
  correlatedNormal,
  eightGaussians,
  rings,
  spirals,
  type Toy,
  twentyFiveGaussians,
  twoMoons,
} from './toys.js'

const eachPoint = (points: Float32Array, log: (x: number, y: number) => number): Float32Array =>
  Float32Array.from({ length: points.length / 2 }, (_, i) => log(points[2 * i]!, points[2 * i + 1]!))

/**
 * Uniform on the eight dark squares of a board of 4×4 squares of side 2 around the origin: those whose row and column
 * are both even or both odd, as in FFJORD. Outside of them the log-density is −∞. Entropy: ln 32.
 *
 * @example checkerboardDensity.entropy() // 3.466
 */
export const checkerboardDensity: Toy = {
  name: 'checkerboard',
  sample: (key, n) => {
    const [kSquare, kPlace] = splitKey(key)
    const squares = uniformArray(kSquare, n)
    return uniformArray(kPlace, 2 * n).map((u, i) => {
      const square = Math.floor(8 * squares[i >> 1]!)
      const row = square >> 1
      const column = 2 * (square & 1) + (row & 1)
      // a multiple of 2⁻²¹, so that no sum is rounded up to the next square
      return 2 * ((i & 1) === 0 ? column : row) - 4 + Math.floor(u * 2 ** 22) / 2 ** 21
    })
  },
  logProb: (points) =>
    eachPoint(points, (x, y) => {
      const inside = x >= -4 && x < 4 && y >= -4 && y < 4 && (Math.floor(x / 2) + Math.floor(y / 2)) % 2 === 0
      return inside ? -Math.log(32) : Number.NEGATIVE_INFINITY
    }),
  entropy: () => Math.log(32),
}

const ARMS = 5
const [RADIAL, TANGENTIAL] = [0.3, 0.1]

/**
 * A pinwheel of five arms. Before it turns, an arm is a normal density around (1, 0), .3 long and .1 wide; then each
 * point turns around the origin by 2πk/5 + ¼ exp r, r its distance, and everything grows twofold.
 *
 *   p(x) = ¼ · ⅕ Σₖ N(R(−θₖ(r)) x/2; (1, 0), diag(.3², .1²)),   r = |x/2|
 *
 * Turning by an angle that depends only on the distance preserves areas, so the density is exact; in Johnson et al.,
 * arXiv 1603.06277, the angle depends on the first coordinate instead. The arms are alike, so the entropy is −E ln p
 * over one of them, a sum over a grid of step σ/8 before it turns.
 *
 * @example pinwheel.entropy() // 2.321
 */
export const pinwheel: Toy = (() => {
  const turned = (a: number, b: number, arm: number, sign: 1 | -1): readonly [number, number] => {
    const angle = sign * ((2 * Math.PI * arm) / ARMS + Math.exp(Math.hypot(a, b)) / 4)
    return [a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle)]
  }
  const logNormal = (a: number, b: number): number =>
    -(((a - 1) / RADIAL) ** 2 + (b / TANGENTIAL) ** 2) / 2 - Math.log(2 * Math.PI * RADIAL * TANGENTIAL)
  const log = (x: number, y: number): number => {
    const arms = Array.from({ length: ARMS }, (_, k) => logNormal(...turned(x / 2, y / 2, k, -1)))
    const most = Math.max(...arms)
    return most + Math.log(arms.reduce((sum, l) => sum + Math.exp(l - most), 0)) - Math.log(4 * ARMS)
  }
  return {
    name: 'pinwheel',
    sample: (key: Key, n: number) => {
      const [kArm, kPlace] = splitKey(key)
      const arms = uniformArray(kArm, n)
      const out = normalArray(kPlace, 2 * n)
      for (let i = 0; i < n; i++) {
        const arm = Math.floor(ARMS * arms[i]!)
        out.set(
          turned(1 + RADIAL * out[2 * i]!, TANGENTIAL * out[2 * i + 1]!, arm, 1).map((v) => 2 * v),
          2 * i,
        )
      }
      return out
    },
    logProb: (points) => eachPoint(points, log),
    entropy: () => {
      let sum = 0
      for (let i = -56; i <= 56; i++)
        for (let j = -56; j <= 56; j++) {
          const [a, b] = [1 + (RADIAL * i) / 8, (TANGENTIAL * j) / 8]
          const [x, y] = turned(a, b, 0, 1)
          sum -= Math.exp(logNormal(a, b)) * log(2 * x, 2 * y)
        }
      return (sum * RADIAL * TANGENTIAL) / 64
    },
  }
})()

/**
 * Every density of the plane, by its name on the command line.
 *
 * @example planes['eight-gaussians'].sample(key(0), 1000) // x and y in turn
 */
export const planes = {
  moons: twoMoons(),
  circles: circles(),
  'eight-gaussians': eightGaussians,
  'twenty-five-gaussians': twentyFiveGaussians,
  rings: rings(),
  checkerboard: checkerboardDensity,
  pinwheel,
  spirals: spirals(),
  'correlated-normal': correlatedNormal(),
} satisfies Readonly<Record<string, Toy>>

export type PlaneName = keyof typeof planes
