/**
 * `diffeo train mnist`: train within a time budget, save, evaluate on all test images, draw.
 *
 * What it leaves in its folder: `checkpoint.safetensors`, `samples.png`, `reconstructions.png`. A run that was stopped
 * and resumed has the parameters of one that never stopped.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { loadMnist } from '../data/mnist.js'
import { describeEngine, type EngineName, useEngine } from '../engine/engine.js'
import { type DiffeoError, describeError, fileError, usageError } from '../error.js'
import { fileFailure } from '../file.js'
import { writePng } from '../image/png.js'
import { countParams } from '../tensor/params.js'
import { unwrap } from '../tensor/tensor.js'
import { type Checkpoint, loadCheckpoint, type Snapshot, saveCheckpoint } from '../train/checkpoint.js'
import { evaluate } from '../train/evaluate.js'
import { fit, type Stopped } from '../train/fit.js'
import { restore } from '../train/restore.js'
import { averageParams, disposeState, startTraining, type TrainState } from '../train/step.js'
import { defaultConfig, makeRun, type Run, RunConfig } from './config.js'
import { reconstruct, samplePicture } from './pictures.js'
import { clock, type Progress, progress } from './progress.js'

/** The flags, decoded. */
export interface TrainOptions {
  readonly minutes: number
  readonly steps: number | undefined
  readonly out: string
  readonly resume: boolean
  readonly engine: EngineName | 'auto'
  readonly data: string | undefined
  readonly seed: number | undefined
  readonly batch: number | undefined
  readonly learningRate: number | undefined
}

/** Where a program writes, and what tells it to stop. */
export interface Surroundings {
  readonly say: (line: string) => void
  readonly signal: AbortSignal
  /** Called when there is nothing left to save, so that a signal may end the program at once. */
  readonly saved: () => void
}

/** Steps between validations, each with a checkpoint: what a power cut costs at most. */
const VALIDATE_EVERY = 100

type Saved = Checkpoint<RunConfig>

const checkpointIn = (folder: string): string => join(folder, 'checkpoint.safetensors')
const resumeWith = (out: string): string => `npx diffeo train mnist --resume --out ${out}`

const openFolder = ({ out, resume }: TrainOptions): TE.TaskEither<DiffeoError, void> => {
  const path = checkpointIn(out)
  return pipe(
    TE.tryCatch(() => mkdir(out, { recursive: true }), fileFailure('write', out)),
    TE.flatMap(() =>
      resume === existsSync(path)
        ? TE.right(undefined)
        : TE.left(
            resume
              ? fileError(`resume ${out}`, 'a checkpoint', 'none', 'leave out --resume, or name its folder with --out')
              : usageError(
                  `train in ${out}`,
                  'a folder without a run',
                  path,
                  'go on with --resume, or choose another folder with --out',
                ),
          ),
    ),
  )
}

/** The configuration of a new run, or of the one that goes on: its seed and batch size are settled. */
const configure = (options: TrainOptions, saved: Saved | undefined): E.Either<DiffeoError, RunConfig> => {
  const { seed, batch, learningRate } = options
  const base = saved?.config ?? defaultConfig
  const settled = (flag: string, asked: number | undefined, own: number) =>
    saved === undefined || asked === undefined || asked === own
      ? E.right(asked ?? own)
      : E.left(
          usageError(flag, `${own}, as the run that goes on has it`, `${asked}`, 'leave it out, or start a new run'),
        )
  return pipe(
    E.Do,
    E.bind('seed', () => settled('--seed', seed, base.seed)),
    E.bind('batch', () => settled('--batch', batch, base.batch)),
    E.map((own) => ({ ...base, ...own, learningRate: learningRate ?? base.learningRate })),
  )
}

const begin = async (run: Run): Promise<TrainState> => {
  const first = await run.batch(0)
  const state = await startTraining(run.flow, run.optimiser, run.keys.init, first)
  unwrap(first).dispose()
  return state
}

const snapshot = (run: Run, config: RunConfig, state: TrainState): Snapshot => ({
  state,
  spec: run.flow.bijector.spec,
  config,
})

const bits = (n: number): string => (Number.isNaN(n) ? '…' : n.toFixed(3))

/** Trains until the time is over, something is wrong or a signal comes; a checkpoint at each validation. */
const learn = async (
  run: Run,
  config: RunConfig,
  start: TrainState,
  options: TrainOptions,
  { say, signal }: Surroundings,
): Promise<Stopped> => {
  const seconds = options.minutes * 60
  let began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  const waiting = { step: `${start.step}`, rate: '…', train: '…', validation: '…', left: clock(seconds) }
  let line: Progress | undefined
  let end: Stopped = { _tag: 'Stopped', reason: 'aborted', state: start }
  let train = Number.NaN
  let validation = Number.NaN
  for await (const event of fit(run.flow, start, {
    optimiser: run.optimiser,
    learningRate: run.learningRate,
    batch: run.batch,
    seconds,
    ...(options.steps === undefined ? {} : { steps: options.steps }),
    signal,
    validation: {
      batches: run.validation,
      every: VALIDATE_EVERY,
      params: (state) => averageParams(run.flow, state),
    },
  })) {
    if (event._tag === 'Stopped') end = event
    else if (event._tag === 'Compiling') say('compiling the train step …')
    else if (event._tag === 'Compiled') {
      say(`compiled in ${event.seconds.toFixed(1)} s`)
      began = performance.now()
      line = progress(
        '{bar} step {step} · {rate} images/s · train {train}, validation {validation} bits/dim · {left} left',
        seconds,
        waiting,
      )
    } else if (event._tag === 'Validated') {
      validation = event.mean
      const written = await saveCheckpoint(checkpointIn(options.out))(snapshot(run, config, event.state))()
      if (E.isLeft(written)) say(`\n${describeError(written.left)} (training goes on, and tries again)`)
    } else {
      // a running mean over some twenty steps, since one batch says little
      train = Number.isNaN(train) ? event.bitsPerDim : 0.95 * train + 0.05 * event.bitsPerDim
      line?.update(elapsed(), {
        step: `${event.state.step}`,
        rate: (config.batch / event.seconds).toFixed(0),
        train: bits(train),
        validation: bits(validation),
        left: clock(seconds - elapsed()),
      })
    }
  }
  line?.stop()
  return end
}

/** Test figures and pictures of the averaged parameters. */
const finish = (
  run: Run,
  state: TrainState,
  { out }: TrainOptions,
  { say }: Surroundings,
): TE.TaskEither<DiffeoError, void> => {
  const params = averageParams(run.flow, state)
  const path = (name: string) => join(out, name)
  return pipe(
    TE.fromTask(async () => {
      const line = progress('{bar} testing {value} of {total} batches · {eta_formatted} left', run.test.count)
      const test = await evaluate(run.flow, params, run.test, line.update)
      line.stop()
      say(`test ${test.mean.toFixed(3)} bits/dim on ${test.count} images, worst ${test.worst.toFixed(3)}`)
      const images = await run.test.at(0)
      const reconstruction = await reconstruct(run.flow, params, images)
      unwrap(images).dispose()
      say(`reconstruction error at most ${reconstruction.largestError.toPrecision(2)} of 256 gray levels`)
      return { reconstruction, samples: await samplePicture(run.flow, params, run.keys.sample) }
    }),
    TE.tap(({ samples }) => pipe(TE.fromEither(samples), TE.flatMap(writePng(path('samples.png'))))),
    TE.tap(({ reconstruction }) =>
      pipe(TE.fromEither(reconstruction.picture), TE.flatMap(writePng(path('reconstructions.png')))),
    ),
    TE.map(() => say(['checkpoint.safetensors', 'samples.png', 'reconstructions.png'].map(path).join('\n'))),
  )
}

/** Saves where it should be, or at least somewhere: what was trained is not lost to a full disk. */
const save = (run: Run, config: RunConfig, state: TrainState, out: string): TE.TaskEither<DiffeoError, void> => {
  const contents = snapshot(run, config, state)
  const refuge = join(tmpdir(), `diffeo-${process.pid}.safetensors`)
  return pipe(
    saveCheckpoint(checkpointIn(out))(contents),
    TE.orElse((error) =>
      state.step === 0
        ? TE.left(error)
        : pipe(
            saveCheckpoint(refuge)(contents),
            TE.matchE(
              () => TE.left(error),
              () => TE.left({ ...error, fix: `${error.fix ?? 'find out why'}; it is saved as ${refuge} meanwhile` }),
            ),
          ),
    ),
  )
}

/** How a run came to its end. */
export type Outcome = 'done' | 'stopped'

const go = (
  run: Run,
  config: RunConfig,
  start: TrainState,
  options: TrainOptions,
  surroundings: Surroundings,
): TE.TaskEither<DiffeoError, Outcome> => {
  const { say, saved } = surroundings
  return pipe(
    // before the first step, so that a disk that cannot be written is not found after the last
    save(run, config, start, options.out),
    TE.flatMapTask(() => () => learn(run, config, start, options, surroundings)),
    TE.flatMap(({ state, reason, error }) =>
      pipe(
        save(run, config, state, options.out),
        TE.flatMap((): TE.TaskEither<DiffeoError, Outcome> => {
          saved()
          if (error !== undefined) return TE.left(error)
          say(`step ${state.step} is saved; go on with: ${resumeWith(options.out)}`)
          return reason === 'aborted'
            ? TE.right('stopped')
            : pipe(
                finish(run, state, options, surroundings),
                TE.map(() => 'done'),
              )
        }),
        TE.tapIO(() => () => disposeState(state)),
      ),
    ),
  )
}

/** The whole command. */
export const train = (options: TrainOptions, surroundings: Surroundings): TE.TaskEither<DiffeoError, Outcome> =>
  pipe(
    openFolder(options),
    TE.flatMap(() =>
      pipe(
        TE.Do,
        TE.bind('checkpoint', () =>
          options.resume ? loadCheckpoint(checkpointIn(options.out), RunConfig) : TE.right(undefined),
        ),
        TE.bind('config', ({ checkpoint }) => TE.fromEither(configure(options, checkpoint))),
        TE.bind('data', () => loadMnist(options.data === undefined ? {} : { folder: options.data })),
        TE.bind('run', ({ config, data }) => TE.fromEither(makeRun(config)(data))),
        TE.bind('engine', () => useEngine(options.engine)),
        TE.bind('start', ({ checkpoint, run }) =>
          checkpoint === undefined
            ? TE.fromTask(() => begin(run))
            : TE.fromEither(restore(run.flow.bijector.spec, run.optimiser)(checkpoint)),
        ),
        TE.flatMap(({ config, run, engine, start }) => {
          surroundings.say(describeEngine(engine))
          const size = countParams(run.flow.bijector.spec).toLocaleString('en')
          surroundings.say(
            `Real NVP of ${size} parameters on ${config.data}, seed ${config.seed}, batch ${config.batch}`,
          )
          return pipe(
            go(run, config, start, options, surroundings),
            TE.tapIO(() => () => disposeState(start)),
          )
        }),
      ),
    ),
  )
