/**
 * The training loop: steps, figures, checkpoints. It writes a checkpoint at each validation and every `saveEvery`
 * seconds, the most that a power cut can cost.
 *
 * @module
 */
import { join } from 'node:path'
import type { Engine } from '../../backends/engine.js'
import type { Workers } from '../../backends/tensorflow/workers.js'
import { asError, type DiffeoError, orThrow } from '../../error.js'
import { writePng } from '../../image/png.js'
import { boxAround } from '../../report/plane.js'
import type { BestFigures, Snapshot } from '../../train/checkpoint.js'
import { fit, type Stepped, type Stopped, type Validated } from '../../train/fit.js'
import { dynamicLossScale } from '../../train/lossScale.js'
import { averageParams, startTraining, type TrainState } from '../../train/state.js'
import { samplePicture } from '../evaluation/pictures.js'
import { type RunConfig, scheduleOf } from '../run/config.js'
import { type Examples, firstBatch, keysOf, unitOf } from '../run/examples.js'
import { filesIn, makeFolder, writeJson } from '../run/folder.js'
import { freeBatch, trainableOf } from '../run/given.js'
import { type FolderLock, foreignFolder } from '../run/lock.js'
import type { MetricsFile } from '../run/metrics.js'
import type { Model } from '../run/model.js'
import type { Io } from '../terminal/console.js'
import { trainingLine } from '../terminal/progress.js'
import type { Budget } from './budget.js'
import { attempts, type SavedBest, saver } from './checkpoint-writer.js'
import { isChief } from './cluster.js'

/** A run in training. */
export interface Training {
  readonly out: string
  /** The lock of its folder; workers other than the chief have none. */
  readonly lock: Pick<FolderLock, 'isHeld' | 'lost'>
  readonly config: RunConfig
  readonly model: Model
  readonly engine: Engine
  readonly examples: Examples
  readonly metrics: MetricsFile
  /** The best figures before this training, of a run that resumes. */
  readonly best: BestFigures | undefined
  /** The other workers, if any; only the chief writes and validates. */
  readonly workers: Workers | undefined
}

/** The end of a training. Its configuration may have got a number of steps. */
export interface Learned {
  readonly end: Stopped
  /** Whether a signal ended it, here or on another worker. */
  readonly interrupted: boolean
  readonly config: RunConfig
  readonly best: BestFigures | undefined
  /** The best checkpoint in the run's folder. */
  readonly savedBest: SavedBest
}

/** Steps from one line of the metrics to the next. */
const LOG_EVERY = 10

/** The share of a time budget for steps; the rest is for validations. */
const STEPPING = 0.92

/** The contents of a checkpoint. */
export const snapshot = (
  { model }: Pick<Training, 'model'>,
  config: RunConfig,
  state: TrainState,
  best: BestFigures | undefined,
): Snapshot => ({
  state,
  flow: model.flow,
  config,
  ...(best === undefined ? {} : { best }),
})

/** The number of points in a progress picture. */
const PROGRESS_POINTS = 300

/** Whether n is 1, 2, 4, 8, …: pictures are frequent at first, when the flow changes fast. */
const isSeldom = (n: number): boolean => n >= 1 && Number.isInteger(Math.log2(n))

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Creates the state before the first step from the first batch. */
export const begin = async ({ flow, optimiser }: Model, { batch }: Examples, seed: number): Promise<TrainState> => {
  const first = await batch(0)
  return startTraining(trainableOf(flow), optimiser, keysOf(seed).init, first).finally(() => freeBatch(first))
}

/** Draws samples during training. */
const show = async (
  { out, model: { flow, optimiser }, config, examples }: Training,
  state: TrainState,
): Promise<void> => {
  const { progress } = filesIn(out)
  // of the plane always the same part, so that the pictures can be compared
  const options =
    config.shape.length === 3
      ? 'given' in flow
        ? { n: 8, columns: 8 }
        : { n: 16, columns: 16 }
      : { n: PROGRESS_POINTS, box: boxAround(await firstBatch(examples)) }
  const params = averageParams(flow, optimiser, state)
  const picture = await samplePicture(flow, params, keysOf(config.recipe.seed).sample, options)
  await makeFolder(progress)
  orThrow(await writePng(join(progress, `${state.step}.png`))(picture)())
}

/**
 * Returns the largest number among the workers, so that all do the same. `onLost` gets the error if a worker is lost.
 */
const vote =
  (workers: Workers | undefined, onLost: (error: DiffeoError) => void) =>
  async (n: number): Promise<number> => {
    try {
      return workers === undefined ? n : Math.max(...(await workers.gather(n)))
    } catch (thrown) {
      onLost(asError(thrown))
      return n
    }
  }

/** Trains until the budget is used up, something fails or a signal arrives. */
export const learn = async (training: Training, start: TrainState, budget: Budget, io: Io): Promise<Learned> => {
  const { out, lock, model, engine, examples, metrics, workers } = training
  const { flow, optimiser } = model
  const { batch: size, validateEvery, clip, l2 } = training.config.recipe
  const { seconds: limit = Number.POSITIVE_INFINITY } = budget
  const writes = isChief(workers)
  const validates = writes && examples.validation.count > 0
  const unit = unitOf(training.config)
  const attempt = attempts(io)
  const saves = saver(training, training.best, attempt, io)
  const line = trainingLine(io.progress, unit, examples.validation.count)
  const over = new AbortController()
  let { config, best } = training
  let recent: readonly Stepped[] = []
  let interrupted = false
  let lost: DiffeoError | undefined
  let end: Stopped = { _tag: 'Stopped', reason: 'aborted', state: start }
  let began = performance.now()

  const endWith = (error: DiffeoError): void => {
    lost = error
    over.abort()
  }
  const onForeign = (): void => endWith(foreignFolder(out))
  lock.lost.addEventListener('abort', onForeign)
  const largest = vote(workers, endWith)
  const elapsed = (): number => (performance.now() - began) / 1000
  const common = (step: number) => ({ step, time: metrics.time + elapsed(), images: step * size, unit: unit.name })
  const contents = (state: TrainState): Snapshot => snapshot(training, config, state, best)
  /** The end of the schedule may become known during training. A run that resumes past it has no such end. */
  const lastStep = (): number => {
    const { steps = 0 } = config.recipe
    return budget.steps ?? (start.step < steps ? steps : Number.POSITIVE_INFINITY)
  }
  /** Turns a time budget into a number of steps after the warm-up, whose rates do not depend on that number. */
  const settle = async (step: number, perStep: number): Promise<void> => {
    const { warmUp, schedule, steps } = config.recipe
    if (steps !== undefined || schedule !== 'cosine' || budget.seconds === undefined || step < warmUp) return
    const more = await largest(Math.max(1, Math.floor((STEPPING * (limit - elapsed())) / Math.max(1e-9, perStep))))
    config = { ...config, recipe: { ...config.recipe, steps: step + more } }
    if (writes) await attempt(() => writeJson(filesIn(out).config, config))
  }
  /** Ends the training if this step is the last, or if one of the workers wants to stop. */
  const endWhereDue = async (step: number): Promise<void> => {
    if (step >= lastStep()) over.abort()
    if (workers === undefined) return
    const wish = await largest(io.signal.aborted ? 2 : elapsed() >= limit ? 1 : 0)
    interrupted = wish === 2
    if (wish > 0) over.abort()
  }

  const showWhereDue = async (state: TrainState): Promise<void> => {
    // the samples of a table are a file of rows, written at the end
    if (training.config.table === undefined && isSeldom(state.step / validateEvery))
      await attempt(() => show(training, state))
  }

  const onStep = async (event: Stepped): Promise<void> => {
    const { step } = event.state
    recent = [...recent, event]
    const seconds = mean(recent.map((e) => e.seconds))
    await settle(step, seconds)
    await endWhereDue(step)
    const train = unit.of(mean(recent.map((e) => e.bitsPerDim)))
    const imagesPerSecond = size / seconds
    const left = Math.max(0, Math.min((lastStep() - step) * seconds, limit - elapsed()))
    line.stepped(step, train, imagesPerSecond, elapsed(), left)
    if (step % LOG_EVERY === 0) {
      const gradientNorm = mean(recent.map((e) => e.gradientNorm))
      const learningRate = scheduleOf(config.recipe)(step - 1)
      const metric = { ...common(step), train, gradientNorm, learningRate, imagesPerSecond }
      await attempt(() => metrics.add(metric))
      recent = []
    }
    // not where a validation is due: a run that went on from there would lack it
    if (writes && !(validates && step % validateEvery === 0) && saves.since() >= budget.saveEvery)
      await saves.save(contents(event.state))
    if (writes && !validates) await showWhereDue(event.state)
  }
  const onValidation = async ({ state, mean: bits, worst, best: better, worse }: Validated): Promise<void> => {
    // fit ends with a sentence
    if (!Number.isFinite(bits)) return
    const validation = unit.of(bits)
    best = { bitsPerDim: better ? bits : (best?.bitsPerDim ?? bits), worse }
    line.validated(validation)
    const metric = { ...common(state.step), validation, worst: unit.of(worst), best: better }
    await attempt(() => metrics.add(metric))
    await saves.save(contents(state), better)
    await showWhereDue(state)
  }

  for await (const event of fit(trainableOf(flow), start, {
    optimiser,
    clip,
    l2,
    ...(engine.precision === 'fp16' && { lossScaling: dynamicLossScale() }),
    learningRate: (step) => scheduleOf(config.recipe)(step),
    batch: examples.batch,
    ...(budget.seconds === undefined || workers !== undefined ? {} : { seconds: budget.seconds }),
    ...(budget.steps === undefined ? {} : { steps: budget.steps }),
    signal: workers === undefined ? AbortSignal.any([io.signal, over.signal]) : over.signal,
    ...(validates && {
      validation: {
        batches: examples.validation,
        every: validateEvery,
        ...(best === undefined ? {} : { best: best.bitsPerDim, worse: best.worse }),
        params: (state) => averageParams(flow, optimiser, state),
        progress: line.validating,
      },
    }),
  })) {
    if (event._tag === 'Stopped') end = lost === undefined ? event : { ...event, error: lost }
    else if (event._tag === 'Stepped') await onStep(event)
    else if (event._tag === 'Validated') await onValidation(event)
    else if (event._tag === 'Compiling') io.say('compiling the train step …')
    else {
      io.say(`compiled in ${event.seconds.toFixed(1)} s`)
      began = performance.now()
      line.begin(start.step)
    }
  }
  line.end()
  lock.lost.removeEventListener('abort', onForeign)
  const savedBest = await saves.close()
  // nobody leaves while another still reads from it
  if (end.error === undefined) await workers?.gather(0).catch(() => undefined)
  return { end, interrupted: interrupted || io.signal.aborted, config, best, savedBest }
}
