/**
 * Whether an estimate of posteriors is calibrated. Each trial draws parameters θ* from the prior, simulates x, and draws
 * from the estimate given x. If the estimate is right, these numbers are uniform over the trials:
 *
 * - the rank of each θ*ⱼ among the draws (simulation-based calibration, Talts et al. 2018)
 * - the share of draws that are likelier than θ* (expected coverage of regions of highest density, Hermans et al. 2022)
 * - the share of draws nearer to a reference point than θ* (TARP, Lemos et al. 2023). The references are the parameters of
 *   other simulations whose data are nearest to x, so an estimate that ignores x fails, which the first two miss
 *
 * @module
 */
import { DiffeoException, usageError } from '../error.js'
import { count, wrongOption } from '../tensor/options.js'
import { foldIn, type Key, uniformArray } from '../tensor/random.js'
import type { Posterior } from './npe.js'
import type { Prior } from './prior.js'
import { type Simulations, type Simulator, simulate } from './simulate.js'

/** Numbers that should be uniform on [0, 1], and the probability of such a distance from uniform by chance. */
export interface Uniformity {
  readonly values: Float64Array
  /** Of the Kolmogorov–Smirnov test. */
  readonly p: number
}

export interface Calibration {
  /** For each parameter. */
  readonly ranks: readonly Uniformity[]
  readonly coverage: Uniformity
  readonly tarp: Uniformity
  /** Whether no test finds a fault, at a joint level of one percent. */
  readonly isCalibrated: boolean
  /** What was found, in a sentence. */
  readonly verdict: string
}

export interface CalibrationOptions {
  readonly key: Key
  /** Default: 200 */
  readonly trials?: number
  /** Draws from the posterior in each trial. Default: 200 */
  readonly draws?: number
}

/** The probability that n uniform numbers lie farther than that from the diagonal (Kolmogorov's limit, Stephens 1970). */
export const kolmogorov = (distance: number, n: number): number => {
  const root = Math.sqrt(n)
  const lambda = (root + 0.12 + 0.11 / root) * distance
  if (lambda < 0.2) return 1
  let sum = 0
  for (let k = 1; k <= 100; k++) sum += 2 * (-1) ** (k - 1) * Math.exp(-2 * (k * lambda) ** 2)
  return Math.min(1, Math.max(0, sum))
}

const uniformity = (values: Float64Array): Uniformity => {
  const sorted = values.slice().sort()
  const distance = sorted.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - i / sorted.length), Math.abs((i + 1) / sorted.length - value)),
    0,
  )
  return { values, p: kolmogorov(distance, values.length) }
}

/** What calibration needs of an estimate. */
export interface Estimate {
  readonly given: (observation: ArrayLike<number>) => Pick<Posterior, 'sample' | 'logProb'>
}

/** Simulations among which references are found: many, so that few trials share one. */
const REFERENCES = 1000

/** The parameters of the simulation whose data are nearest to an observation, in deviations of the data. */
const nearest = ({ parameters, data, size: columns, count: rows }: Simulations, size: number) => {
  const deviations = Array.from({ length: columns }, (_, j) => {
    let [sum, squares] = [0, 0]
    for (let row = 0; row < rows; row++) {
      sum += data[row * columns + j]!
      squares += data[row * columns + j]! ** 2
    }
    return Math.sqrt(Math.max(squares / rows - (sum / rows) ** 2, 0)) || 1
  })
  return (observed: ArrayLike<number>): Float32Array => {
    let [best, least] = [0, Number.POSITIVE_INFINITY]
    for (let row = 0; row < rows; row++) {
      const distance = deviations.reduce((sum, s, j) => sum + ((observed[j]! - data[row * columns + j]!) / s) ** 2, 0)
      if (distance < least) [best, least] = [row, distance]
    }
    return parameters.subarray(best * size, (best + 1) * size)
  }
}

/** The joint probability of a false alarm. */
const LEVEL = 0.01

/** Whether too many parameters lie among the likeliest draws, or too few. */
const direction = ({ values }: Uniformity): string => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return mean > 0.5 ? 'too narrow' : 'too wide'
}

/**
 * Checks an estimate against fresh simulations: ranks of every parameter, coverage and TARP.
 *
 * @throws DiffeoException (as a rejection) if an option is wrong, or more than half of the simulations fail
 * @example
 * const simulator = ([mean]: Float32Array, k: Key) => normalArray(k, 2).map((z) => mean! + z)
 * const prior = normalPrior([0], [2])
 * const posterior = await npe(simulator, prior, { key: key(0), simulations: 500, steps: 100 })
 * const check = await calibration(posterior, simulator, prior, { key: key(1) })
 * if (!check.isCalibrated) console.warn(check.verdict)
 */
export const calibration = async (
  estimate: Estimate,
  simulator: Simulator,
  prior: Prior,
  { key, trials = 200, draws = 200 }: CalibrationOptions,
): Promise<Calibration> => {
  const wrong = wrongOption('calibration', [count('trials', trials), count('draws', draws)])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  if (trials < 20) throw new DiffeoException(usageError('calibration', 'at least 20 trials', `${trials}`))
  const { size } = prior
  const simulated = await simulate('calibration', simulator, prior.sample(foldIn(key, 0), trials), size, foldIn(key, 1))
  const n = simulated.count
  const others = await simulate(
    'calibration',
    simulator,
    prior.sample(foldIn(key, 2), REFERENCES),
    size,
    foldIn(key, 5),
    {
      size: simulated.size,
    },
  )
  const referenceOf = nearest(others, size)
  // ranks are whole numbers; a share of one step makes them uniform
  const ties = uniformArray(foldIn(key, 3), n * (size + 2))
  const shares = Array.from({ length: size + 2 }, () => new Float64Array(n))
  const scale = prior.scale.map(([, deviation]) => deviation)
  for (let trial = 0; trial < n; trial++) {
    const truth = simulated.parameters.subarray(trial * size, (trial + 1) * size)
    const observed = simulated.data.subarray(trial * simulated.size, (trial + 1) * simulated.size)
    const posterior = estimate.given(observed)
    const { data } = await posterior.sample(draws, { key: foldIn(foldIn(key, 4), trial) })
    const logs = await posterior.logProb(data)
    const [logTruth = Number.NEGATIVE_INFINITY] = await posterior.logProb(truth)
    const reference = referenceOf(observed)
    const distance = (row: ArrayLike<number>): number =>
      reference.reduce((sum, value, j) => sum + ((row[j]! - value) / scale[j]!) ** 2, 0)
    const put = (place: number, below: number): void => {
      shares[place]![trial] = (below + ties[trial * (size + 2) + place]!) / (draws + 1)
    }
    for (let j = 0; j < size; j++) {
      let below = 0
      for (let d = 0; d < draws; d++) if (data[d * size + j]! < truth[j]!) below += 1
      put(j, below)
    }
    put(size, logs.filter((log) => log > logTruth).length)
    const far = distance(truth)
    let nearer = 0
    for (let d = 0; d < draws; d++) if (distance(data.subarray(d * size, (d + 1) * size)) < far) nearer += 1
    put(size + 1, nearer)
  }
  const all = shares.map(uniformity)
  const [coverage, tarp] = [all[size]!, all[size + 1]!]
  const ranks = all.slice(0, size)
  const level = LEVEL / all.length
  const found = [
    ...ranks.flatMap(({ p }, j) =>
      p < level ? [`the ranks of parameter ${j} are not uniform (p = ${p.toExponential(1)})`] : [],
    ),
    ...(coverage.p < level
      ? [`its regions of highest density are ${direction(coverage)} (p = ${coverage.p.toExponential(1)})`]
      : []),
    ...(tarp.p < level
      ? [`its draws lie too near to or too far from reference points (p = ${tarp.p.toExponential(1)})`]
      : []),
  ]
  const failed = simulated.failed === 0 ? '' : `; ${simulated.failed} simulations failed`
  return {
    ranks,
    coverage,
    tarp,
    isCalibrated: found.length === 0,
    verdict:
      (found.length === 0
        ? `calibrated as far as ${n} trials tell`
        : `miscalibrated: ${found.join('; ')}; train on more simulations or for more steps`) + failed,
  }
}
