/**
 * The training of a run, from a state to its end: steps, figures, checkpoints.
 *
 * A checkpoint is written at each validation and each `saveEvery` seconds, so a power cut costs that much at most.
 *
 * @module
 */
import { join } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Engine } from '../engine/engine.js'
import type { Workers } from '../engine/parallel/workers.js'
import { asError, type DiffeoError } from '../error.js'
import { writePng } from '../image/png.js'
import { boxAround } from '../report/plane.js'
import { unwrap } from '../tensor/tensor.js'
import type { BestFigures, Snapshot } from '../train/checkpoint.js'
import { fit, type Stepped, type Stopped, type Validated } from '../train/fit.js'
import { dynamicLossScale } from '../train/lossScale.js'
import { averageParams, startTraining, type TrainState } from '../train/step.js'
import type { Budget } from './budget.js'
import { type RunConfig, scheduleOf } from './config.js'
import type { Io } from './console.js'
import { type Examples, firstBatch, keysOf, unitOf } from './examples.js'
import { filesIn, makeFolder, writeJson } from './folder.js'
import type { MetricsFile } from './metrics.js'
import type { Model } from './model.js'
import { samplePicture } from './pictures.js'
import { clock, type Heard, type Progress, paceOf } from './progress.js'
import { reporter, saver } from './saving.js'

/** A run in training. */
export interface Training {
  readonly out: string
  readonly config: RunConfig
  readonly model: Model
  readonly engine: Engine
  readonly examples: Examples
  readonly metrics: MetricsFile
  /** Of a run that goes on. */
  readonly best: BestFigures | undefined
  /** If there are several: only the chief writes and validates. */
  readonly workers: Workers | undefined
}

/** The last state, and the configuration that may have learned how many steps it has. */
export interface Learned {
  readonly end: Stopped
  /** Whether a signal ended it, here or on another worker. */
  readonly interrupted: boolean
  readonly config: RunConfig
  readonly best: BestFigures | undefined
}

/** Steps from one line of the metrics to the next. */
const LOG_EVERY = 10

/** The share of a budget in time that goes into steps; the rest is for validations. */
const STEPPING = 0.92

/** What a checkpoint of it holds. */
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

/** Points in a picture from while it trains. */
const PROGRESS_POINTS = 300

/** 1, 2, 4, 8, …: what changes fast at first is looked at often at first. */
const isSeldom = (n: number): boolean => Number.isInteger(Math.log2(n))

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** The state before the first step, from the first batch. */
export const begin = async ({ flow, optimiser }: Model, { batch }: Examples, seed: number): Promise<TrainState> => {
  const first = await batch(0)
  const state = await startTraining(flow, optimiser, keysOf(seed).init, first)
  unwrap(first).dispose()
  return state
}

/** Draws samples from while it trains. */
const show = (
  { out, model: { flow, optimiser }, config, examples }: Training,
  state: TrainState,
): TE.TaskEither<DiffeoError, void> => {
  const { progress } = filesIn(out)
  return pipe(
    TE.tryCatch(async () => {
      // of the plane the same part every time, whatever is drawn, so that the pictures can be compared
      const what =
        config.shape.length === 3
          ? { n: 16, columns: 16 }
          : { n: PROGRESS_POINTS, box: boxAround(await firstBatch(examples)) }
      return samplePicture(flow, averageParams(flow, optimiser, state), keysOf(config.recipe.seed).sample, what)
    }, asError),
    TE.flatMapEither((picture) => picture),
    TE.tap(() => makeFolder(progress)),
    TE.flatMap(writePng(join(progress, `${state.step}.png`))),
  )
}

/** Trains until the time is over, something is wrong or a signal comes. */
export const learn = async (training: Training, start: TrainState, budget: Budget, io: Io): Promise<Learned> => {
  const { out, model, engine, examples, metrics, workers } = training
  const isChief = (workers?.index ?? 0) === 0
  const { flow, optimiser } = model
  const files = filesIn(out)
  const { batch: size, validateEvery, clip, l2 } = training.config.recipe
  const unit = unitOf(training.config.shape)
  let config = training.config
  let best = training.best
  let rate = scheduleOf(config.recipe)
  const report = reporter(io)
  const { save, since, close } = saver(out, report)

  /** The largest of what the workers say, so that all do the same. */
  const largest = async (n: number): Promise<number> => {
    try {
      return workers === undefined ? n : Math.max(...(await workers.gather(n)))
    } catch (thrown) {
      lost = asError(thrown)
      complete.abort()
      return n
    }
  }
  let lost: DiffeoError | undefined
  let began = performance.now()
  const elapsed = (): number => (performance.now() - began) / 1000
  const common = (step: number) => ({ step, time: metrics.time + elapsed(), images: step * size, unit: unit.name })
  const told = { train: '…', validation: '…', rate: '…' }
  // the end of the schedule may become known on the way; one that goes on behind it has no such end
  const complete = new AbortController()
  const last = (): number =>
    budget.steps ??
    (start.step < (config.recipe.steps ?? 0) ? config.recipe.steps : undefined) ??
    Number.POSITIVE_INFINITY
  const format = `{bar} step {step} · {rate} ${unit.things}/s · train {train} ${unit.name}, validation {validation} · {left} left`
  let line: Progress | undefined
  const left = (state: TrainState, perStep: number): readonly [done: number, seconds: number] => {
    const bySteps = (last() - state.step) * perStep
    const byTime = (budget.seconds ?? Number.POSITIVE_INFINITY) - elapsed()
    const rest = Math.max(0, Math.min(bySteps, byTime))
    return [elapsed() / (elapsed() + rest), rest]
  }

  let validating: ReturnType<typeof paceOf> | undefined
  let shown = 0
  const onValidating: Heard = (done, count) => {
    validating ??= paceOf(examples.validation.count, unit.things)
    line?.update(shown, { validation: validating(done, count) })
  }

  let recent: Stepped[] = []
  const onStep = async (event: Stepped): Promise<void> => {
    const { state } = event
    recent.push(event)
    const seconds = mean(recent.map((e) => e.seconds))
    const { warmUp, schedule, steps } = config.recipe
    if (steps === undefined && schedule === 'cosine' && budget.seconds !== undefined && state.step >= warmUp) {
      // the rates up to here are those of every number of steps
      const more = await largest(
        Math.max(1, Math.floor((STEPPING * (budget.seconds - elapsed())) / Math.max(1e-9, seconds))),
      )
      config = { ...config, recipe: { ...config.recipe, steps: state.step + more } }
      rate = scheduleOf(config.recipe)
      if (isChief) report(await writeJson(files.config)(config)())
    }
    if (state.step >= last()) complete.abort()
    if (workers !== undefined) {
      const wish = await largest(
        io.signal.aborted ? 2 : elapsed() >= (budget.seconds ?? Number.POSITIVE_INFINITY) ? 1 : 0,
      )
      interrupted = wish === 2
      if (wish > 0) complete.abort()
    }
    told.train = unit.of(mean(recent.map((e) => e.bitsPerDim))).toFixed(3)
    told.rate = (size / seconds).toFixed(0)
    const [done, rest] = left(state, seconds)
    shown = 1000 * done
    line?.update(shown, { ...told, step: `${state.step}`, left: clock(rest) })
    if (state.step % LOG_EVERY === 0) {
      report(
        await metrics.add({
          ...common(state.step),
          train: unit.of(mean(recent.map((e) => e.bitsPerDim))),
          gradientNorm: mean(recent.map((e) => e.gradientNorm)),
          learningRate: rate(state.step - 1),
          imagesPerSecond: size / seconds,
        }),
      )
      recent = []
    }
    // not where a validation is due: a run that went on from there would lack it
    if (isChief && state.step % validateEvery !== 0 && since() >= budget.saveEvery)
      await save(snapshot(training, config, state, best))
  }
  const onValidation = async ({ state, mean: bits, worst, best: better, worse }: Validated): Promise<void> => {
    best = { bitsPerDim: better ? bits : (best?.bitsPerDim ?? bits), worse }
    told.validation = unit.of(bits).toFixed(3)
    validating = undefined
    report(await metrics.add({ ...common(state.step), validation: unit.of(bits), worst: unit.of(worst), best: better }))
    await save(snapshot(training, config, state, best), better)
    if (isSeldom(state.step / validateEvery)) report(await show(training, state)())
  }

  let interrupted = false
  let end: Stopped = { _tag: 'Stopped', reason: 'aborted', state: start }
  for await (const event of fit(flow, start, {
    optimiser,
    clip,
    l2,
    ...(engine.precision === 'fp16' && { lossScaling: dynamicLossScale() }),
    learningRate: (step) => rate(step),
    batch: examples.batch,
    ...(budget.seconds === undefined || workers !== undefined ? {} : { seconds: budget.seconds }),
    ...(budget.steps === undefined ? {} : { steps: budget.steps }),
    signal: workers === undefined ? AbortSignal.any([io.signal, complete.signal]) : complete.signal,
    ...(isChief && {
      validation: {
        batches: examples.validation,
        every: validateEvery,
        ...(best === undefined ? {} : { best: best.bitsPerDim, worse: best.worse }),
        params: (state) => averageParams(flow, optimiser, state),
        progress: onValidating,
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
      line = io.progress(format, 1000, { ...told, step: `${start.step}`, left: '…' })
    }
  }
  line?.stop()
  await close()
  // nobody leaves while another still reads from it
  if (end.error === undefined) await workers?.gather(0).catch(() => undefined)
  return { end, interrupted: interrupted || io.signal.aborted, config, best }
}
