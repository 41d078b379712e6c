/**
 * Neural posterior estimation: a conditional flow learns p(θ | x) from simulations of parameters θ and data x
 * (Papamakarios and Murray 2016, Lueckmann et al. 2017). It is amortised: one training serves every observation. With an
 * observation and several rounds, each later round draws its parameters from the prior where the posterior has its mass
 * (truncated sequential estimation, Deistler et al. 2022), so the loss needs no correction.
 *
 * Neural likelihood and ratio estimation are not part of diffeo yet.
 *
 * @module
 */
import type { SameVector, Shape, ShapeFn } from '../../types/shape.js'
import type { ConditionalModel } from '../api/model.js'
import type { Numbers } from '../api/rows.js'
import type { TrainOptions } from '../api/train.js'
import { atShape } from '../bijector/bijector.js'
import { compose } from '../bijector/compose.js'
import type { Layer } from '../bijector/layer.js'
import { standardNormal } from '../distribution/base.js'
import { type ConditionalFlow, flow } from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { nsf } from '../models/autoregressive.js'
import { count, type Option, wrongOption } from '../tensor/options.js'
import { foldIn, type Key } from '../tensor/random.js'
import { ontoReals, type Prior } from './prior.js'
import { type Simulations, type Simulator, simulate } from './simulate.js'

type Vector = readonly [number]

export interface NpeOptions
  extends Pick<
    TrainOptions,
    'key' | 'steps' | 'batch' | 'learningRate' | 'validation' | 'patience' | 'onProgress' | 'signal'
  > {
  /** Simulations in each round. Default: 2000 */
  readonly simulations?: number
  /** Default: 1. More rounds need an `observation` */
  readonly rounds?: number
  /** The observation that the later rounds are about. */
  readonly observation?: ArrayLike<number>
  /** The layers of the flow, after the map of the prior's support onto ℝ. Default: nsf({ autoregressive: true }) */
  readonly layers?: Layer<SameVector>
  /** Simulations that run at once, of a simulator that is asynchronous. Default: 16 */
  readonly parallel?: number
}

/** The posterior of one observation. */
export interface Posterior {
  /** `n` draws of the parameters. */
  readonly sample: (n: number, options: { readonly key: Key }) => Promise<Numbers<Vector>>
  /** log p(θ | x) of parameters, row after row, in nats: −∞ outside the prior's support. */
  readonly logProb: (parameters: ArrayLike<number>) => Promise<Float32Array>
}

/** An estimate of the posteriors of all observations. */
export interface PosteriorEstimate {
  readonly prior: Prior
  /** The posterior of an observation. */
  readonly given: (observation: ArrayLike<number>) => Posterior
  /** What it was trained on, of all rounds. */
  readonly simulations: Simulations
  /** The trained flow. Its contexts are standardised observations. */
  readonly model: ConditionalModel<Vector, Vector, Vector>
  readonly dispose: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** Trains a flow on pairs; Node and browsers differ in it. */
export type TrainPairs = (
  density: ConditionalFlow<Vector, Vector, Vector>,
  data: { readonly x: Float32Array; readonly given: Float32Array },
  options: TrainOptions,
) => Promise<ConditionalModel<Vector, Vector, Vector>>

/** Standardises observations by the mean and the deviation of simulated ones. */
const standardiser = ({ data, size, count }: Simulations) => {
  const mean = new Float64Array(size)
  const deviation = new Float64Array(size)
  for (let i = 0; i < data.length; i++) mean[i % size]! += data[i]! / count
  for (let i = 0; i < data.length; i++) deviation[i % size]! += (data[i]! - mean[i % size]!) ** 2 / count
  return (rows: ArrayLike<number>): Float32Array =>
    Float32Array.from(rows, (value, i) => (value - mean[i % size]!) / (Math.sqrt(deviation[i % size]!) || 1))
}

const joined = (a: Simulations | undefined, b: Simulations): Simulations => {
  if (a === undefined) return b
  const concat = (x: Float32Array, y: Float32Array): Float32Array => {
    const all = new Float32Array(x.length + y.length)
    all.set(x)
    all.set(y, x.length)
    return all
  }
  return {
    ...b,
    ...a,
    parameters: concat(a.parameters, b.parameters),
    data: concat(a.data, b.data),
    count: a.count + b.count,
    failed: a.failed + b.failed,
  }
}

/** The share of the posterior's mass that truncation may cut off. */
const CUT = 1e-3
/** Draws that find where the posterior has its mass. */
const SEEN = 4096

/** Draws from the prior where an estimate has its mass, by rejection. */
const truncated = async (prior: Prior, posterior: Posterior, n: number, key: Key): Promise<Float32Array> => {
  const { data } = await posterior.sample(SEEN, { key: foldIn(key, 0) })
  const scores = Float64Array.from(await posterior.logProb(data)).sort()
  const edge = scores[Math.floor(CUT * scores.length)]!
  const kept = new Float32Array(n * prior.size)
  let found = 0
  // where the posterior is far narrower than the prior, a box around its draws replaces its region of highest density
  for (let round = 1; found < n && round <= 64; round++) {
    const proposed = prior.sample(foldIn(key, round), SEEN)
    const logs = await posterior.logProb(proposed)
    for (let i = 0; i < SEEN && found < n; i++)
      if (logs[i]! >= edge) kept.set(proposed.subarray(i * prior.size, (i + 1) * prior.size), prior.size * found++)
  }
  return found === n ? kept : truncatedBox(prior, data, kept, found, n, key)
}

/** Uniform draws from the box around draws of the posterior, for what rejection did not find. */
const truncatedBox = (
  prior: Prior,
  draws: Float32Array,
  kept: Float32Array,
  found: number,
  n: number,
  key: Key,
): Float32Array => {
  const { size } = prior
  const [low, high] = [
    new Float64Array(size).fill(Number.POSITIVE_INFINITY),
    new Float64Array(size).fill(Number.NEGATIVE_INFINITY),
  ]
  draws.forEach((value, i) => {
    low[i % size] = Math.min(low[i % size]!, value)
    high[i % size] = Math.max(high[i % size]!, value)
  })
  for (let round = 1; found < n; round++) {
    const proposed = prior.sample(foldIn(foldIn(key, 2 ** 20), round), SEEN)
    for (let i = 0; i < SEEN && found < n; i++) {
      const row = proposed.subarray(i * size, (i + 1) * size)
      if (row.every((value, j) => value >= low[j]! && value <= high[j]!)) kept.set(row, size * found++)
    }
    if (round > 4096)
      throw new DiffeoException(
        usageError(
          'npe',
          'a prior whose draws reach the posterior',
          `${found} of ${n} simulations`,
          'use fewer rounds or a narrower prior',
        ),
      )
  }
  return kept
}

const expectOptions = ({ simulations, rounds = 1, observation, parallel }: NpeOptions): void => {
  const ifSet = (value: number | undefined, name: string): readonly Option[] =>
    value === undefined ? [] : [count(name, value)]
  const wrong = wrongOption('npe', [
    ...ifSet(simulations, 'simulations'),
    ...ifSet(rounds, 'rounds'),
    ...ifSet(parallel, 'parallel simulations'),
  ])
  if (wrong !== undefined) throw new DiffeoException(wrong)
  if (rounds > 1 && observation === undefined)
    throw new DiffeoException(usageError('npe', 'an observation for more than one round', 'none'))
}

/** `npe` from a way to train. */
export const npeIn =
  (train: TrainPairs) =>
  async (simulator: Simulator, prior: Prior, options: NpeOptions): Promise<PosteriorEstimate> => {
    expectOptions(options)
    const {
      key,
      simulations: perRound = 2000,
      rounds = 1,
      observation,
      layers = nsf({ autoregressive: true }),
      parallel,
      ...training
    } = options
    let simulations: Simulations | undefined
    let estimate: PosteriorEstimate | undefined
    try {
      for (let round = 0; round < rounds; round++) {
        const own = foldIn(key, round)
        const parameters =
          estimate === undefined
            ? prior.sample(foldIn(own, 0), perRound)
            : await truncated(prior, estimate.given(observation!), perRound, foldIn(own, 0))
        const fresh = await simulate('npe', simulator, parameters, prior.size, foldIn(own, 1), {
          ...(simulations && { size: simulations.size }),
          ...(parallel !== undefined && { parallel }),
          signal: options.signal,
        })
        simulations = joined(simulations, fresh)
        if (observation !== undefined && observation.length !== simulations.size)
          throw new DiffeoException(
            usageError('npe', `an observation of ${simulations.size} numbers`, `${observation.length}`),
          )
        const before = estimate
        estimate = undefined
        await before?.dispose()
        estimate = await fitted(train, prior, simulations, layers, { ...training, key: foldIn(own, 2) })
      }
      return estimate!
    } catch (thrown) {
      await estimate?.dispose()
      throw thrown
    }
  }

const fitted = async (
  train: TrainPairs,
  prior: Prior,
  simulations: Simulations,
  layers: Layer<SameVector>,
  options: TrainOptions,
): Promise<PosteriorEstimate> => {
  const { size } = simulations
  const all = compose(ontoReals(prior), layers) as Layer<ShapeFn>
  const bijector = atShape<Shape, Layer<ShapeFn>, Shape | undefined>([prior.size] as Shape, all, {
    given: [size] as Shape,
  })
  // the type of a flow whose shape is known only at run time
  const density = flow(bijector as never, standardNormal) as never
  const standard = standardiser(simulations)
  const data = { x: simulations.parameters, given: standard(simulations.data) }
  const model = await train(density, data, { learningRate: 1e-3, ...options })
  return {
    prior,
    simulations,
    model,
    given: (observation) => {
      if (observation.length !== size)
        throw new DiffeoException(usageError('given', `an observation of ${size} numbers`, `${observation.length}`))
      const wrong = Array.from(observation).find((value) => !Number.isFinite(value))
      if (wrong !== undefined)
        throw new DiffeoException(usageError('given', 'an observation of finite numbers', `${wrong}`))
      return model.given(standard(observation))
    },
    dispose: model.dispose,
    [Symbol.asyncDispose]: model.dispose,
  }
}
