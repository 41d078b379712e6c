/**
 * A run that was saved, ready to be used: its configuration, its flow and its parameters as tensors.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { describeEngine, type Engine, useEngine } from '../../backends/engine.js'
import { type DiffeoError, usageError } from '../../error.js'
import type { Params } from '../../tensor/params.js'
import { restore } from '../../train/restore.js'
import { averageParams, disposeState, type TrainState } from '../../train/state.js'
import type { EngineFlags } from '../flags.js'
import type { Io } from '../terminal/console.js'
import type { RunConfig } from './config.js'
import { sameContents } from './config-flags.js'
import { type Examples, loadDataSet } from './examples.js'
import { filesIn, isRun, loadSaved, readConfig, toldOf, type Which } from './folder.js'
import { type Model, modelOf } from './model.js'

/** The flags of commands that use a run. */
export interface RunFlags extends EngineFlags {
  readonly checkpoint?: Which
  /** The file of the user's model, if the run has one. */
  readonly model?: string
  /** Where the data are now, if they were moved. */
  readonly data?: string
}

export interface OpenRun extends Model {
  readonly config: RunConfig
  readonly state: TrainState
  /** The file in the run's folder that it is of. */
  readonly checkpoint: string
  /** Of the averaged model, which is the one to use; borrowed from `state`. */
  readonly params: Params
  readonly engine: Engine
}

/** Refuses `--checkpoint best` where no validation has left one; a damaged one is passed over, and said so. */
export const hasBest = (folder: string, which: Which | undefined): TE.TaskEither<DiffeoError, void> => {
  const { best } = filesIn(folder)
  if (which !== 'best' || existsSync(best) || !isRun(folder)) return TE.right(undefined)
  return pipe(
    readConfig(filesIn(folder).config),
    TE.match(
      () => undefined,
      ({ recipe }) => recipe.validation,
    ),
    TE.fromTask,
    TE.flatMap((validation) =>
      TE.left(
        usageError(
          '--checkpoint best',
          `${best}, which a validation leaves`,
          'a run without',
          validation === 0
            ? 'leave it out: the run has no validation set'
            : 'leave it out, or train with a smaller --validate-every',
        ),
      ),
    ),
  )
}

/** Uses a run: reads it, says what there is to say, and frees it afterwards. */
export const withRun = <A>(
  folder: string,
  flags: RunFlags,
  io: Io,
  use: (run: OpenRun) => TE.TaskEither<DiffeoError, A>,
): TE.TaskEither<DiffeoError, A> =>
  pipe(
    hasBest(folder, flags.checkpoint),
    TE.flatMap(() => loadSaved(folder, flags.checkpoint)),
    TE.tapIO((loaded) => () => toldOf(loaded).forEach(io.warn)),
    TE.bindTo('loaded'),
    TE.bind('model', ({ loaded }) => modelOf(loaded.saved.config, flags.model)),
    TE.bind('engine', () => useEngine(flags.engine, flags)),
    TE.tapIO(
      ({ engine, loaded: { saved } }) =>
        () =>
          io.say(`${describeEngine(engine)}\n${saved.path}, step ${saved.step}`),
    ),
    TE.bind('state', ({ loaded, model }) => TE.fromEither(restore(model.flow, model.optimiser)(loaded.saved))),
    TE.flatMap(({ loaded, model, engine, state }) =>
      pipe(
        use({
          ...model,
          config: loaded.saved.config,
          engine,
          state,
          checkpoint: basename(loaded.saved.path),
          params: averageParams(model.flow, model.optimiser, state),
        }),
        (task) => () => task().finally(() => disposeState(state)),
      ),
    ),
  )

/** The data that a run was trained on. */
export const examplesOf = ({ config }: OpenRun, flags: RunFlags): TE.TaskEither<DiffeoError, Examples> =>
  pipe(
    loadDataSet(flags.data === undefined ? config.data : { ...config.data, folder: flags.data }, config.recipe),
    TE.tap((set) => TE.fromEither(sameContents(config.contents, set.contents))),
    TE.flatMapEither((set) => set.examples(config.recipe)),
  )
