/**
 * What a run is: everything that decides its numbers beside the engine, kept in its checkpoint and read back by the
 * same codec; and the parts that it stands for.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import type { Latents } from '../../types/shape.js'
import { integer } from '../codec.js'
import { evaluationBatches, trainBatches } from '../data/batches.js'
import { subset } from '../data/image-set.js'
import type { Mnist } from '../data/mnist.js'
import { holdOut } from '../data/split.js'
import { type Flow, flow } from '../distribution/flow.js'
import { standardNormal } from '../distribution/prior.js'
import type { DiffeoError } from '../error.js'
import { realNvp } from '../models/realNvp.js'
import { foldIn, type Key, key } from '../tensor/random.js'
import type { BatchOf } from '../tensor/tensor.js'
import type { Batches } from '../train/evaluate.js'
import { adam, averaged, constantRate, type Optimiser, type Schedule, warmUp } from '../train/optimiser.js'

/** Everything that decides a run's numbers. */
export const RunConfig = t.readonly(
  t.type({
    data: t.literal('mnist'),
    model: t.readonly(t.type({ scales: integer(1, 8), width: integer(1, 1024), blocks: integer(0, 64) })),
    seed: integer(0, 2 ** 32 - 1),
    batch: integer(1, 4096),
    validation: integer(1, 59_999),
    learningRate: t.number,
    warmUp: integer(0, 1e9),
    averageDecay: t.number,
  }),
  'RunConfig',
)
export type RunConfig = t.TypeOf<typeof RunConfig>

/** The small model of MNIST and its recipe. */
export const defaultConfig: RunConfig = {
  data: 'mnist',
  model: { scales: 2, width: 16, blocks: 2 },
  seed: 0,
  batch: 32,
  validation: 512,
  learningRate: 2e-3,
  warmUp: 50,
  averageDecay: 0.99,
}

export type ImageShape = readonly [28, 28, 1]

/** What a configuration stands for. */
export interface Run {
  readonly flow: Flow<ImageShape, Latents>
  readonly optimiser: Optimiser
  /** A function of the step alone, so that a run goes on after a stop as if there had been none. */
  readonly learningRate: Schedule
  readonly batch: (step: number) => Promise<BatchOf<ImageShape>>
  readonly validation: Batches<ImageShape>
  readonly test: Batches<ImageShape>
  readonly keys: { readonly init: Key; readonly sample: Key }
}

/** How many images are evaluated at once: memory, not results. */
const EVALUATION_BATCH = 50

/** The sizes of the images that the data sets have. */
const MNIST: ImageShape = [28, 28, 1]

/** The flow of a configuration, and what trains it: all that there is without the data. */
export const modelOf = (config: RunConfig): E.Either<DiffeoError, Pick<Run, 'flow' | 'optimiser'>> =>
  pipe(
    realNvp(config.model).at(MNIST),
    E.map((model) => ({
      flow: flow<ImageShape, Latents>(model, standardNormal),
      optimiser: averaged(adam(), config.averageDecay),
    })),
  )

/** The parts of a run, on the data it names. */
export const makeRun =
  (config: RunConfig) =>
  ({ train, test }: Mnist): E.Either<DiffeoError, Run> => {
    const own = (use: number): Key => foldIn(key(config.seed), use)
    return pipe(
      E.Do,
      E.bind('model', () => modelOf(config)),
      E.bind('split', () => holdOut(own(0), config.validation, train.count)),
      E.bind('batch', ({ split }) => trainBatches(subset(split.train)(train), own(1), config.batch)),
      E.map(({ model, split, batch }) => ({
        ...model,
        learningRate: warmUp(config.warmUp, constantRate(config.learningRate)),
        batch,
        validation: evaluationBatches(subset(split.validation)(train), own(2), EVALUATION_BATCH),
        test: evaluationBatches(test, own(3), EVALUATION_BATCH),
        keys: { init: own(4), sample: own(5) },
      })),
    )
  }
