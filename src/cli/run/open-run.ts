/**
 * A saved run, ready for use: its configuration, its flow and its parameters as tensors.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { describeEngine, type Engine, useEngine } from '../../backends/engine.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import type { Params } from '../../tensor/params.js'
import { restore } from '../../train/restore.js'
import { averageParams, disposeState, type TrainState } from '../../train/state.js'
import type { EngineFlags } from '../flags.js'
import type { Io } from '../terminal/console.js'
import type { RunConfig } from './config.js'
import { requireSameContents } from './config-flags.js'
import { loadRunData } from './data.js'
import type { Examples } from './examples.js'
import { filesIn, isRun, loadSaved, readConfig, type Which, warningsOf } from './folder.js'
import { type Model, modelOf } from './model.js'

/** The flags of commands that use a run. */
export interface RunFlags extends EngineFlags {
  readonly checkpoint?: Which
  /** The file of the user's model, if the run has one. */
  readonly model?: string
  /** The new folder of the data, if they were moved. */
  readonly data?: string
}

export interface OpenRun extends Model {
  readonly config: RunConfig
  readonly state: TrainState
  /** The name of its file in the run's folder. */
  readonly checkpoint: string
  /** The averaged parameters, borrowed from `state`. */
  readonly params: Params
  readonly engine: Engine
}

/**
 * Refuses `--checkpoint best` of a run without that file. A damaged one is skipped later, with a warning.
 *
 * @throws DiffeoException with a usage error
 */
export const requireBest = async (folder: string, which: Which | undefined): Promise<void> => {
  const { best, config } = filesIn(folder)
  if (which !== 'best' || existsSync(best) || !isRun(folder)) return
  const validation = await readConfig(config).then(
    ({ recipe }) => recipe.validation,
    () => undefined,
  )
  throw new DiffeoException(
    usageError(
      '--checkpoint best',
      `${best}, which a validation writes`,
      'a run without one',
      validation === 0
        ? 'leave it out: the run has no validation set'
        : 'leave it out, or train with a smaller --validate-every',
    ),
  )
}

/**
 * Opens a run, says what it opened, and frees the run after use.
 *
 * @throws DiffeoException if the run cannot be read or its engine does not start
 */
export const withRun = async <const A>(
  folder: string,
  flags: RunFlags,
  { say, warn }: Io,
  use: (run: OpenRun) => Promise<A>,
): Promise<A> => {
  await requireBest(folder, flags.checkpoint)
  const loaded = await loadSaved(folder, flags.checkpoint)
  warningsOf(loaded).forEach(warn)
  const { saved } = loaded
  const model = await modelOf(saved.config, flags.model)
  const engine = orThrow(await useEngine(flags.engine, flags)())
  say(`${describeEngine(engine)}\n${saved.path}, step ${saved.step}`)
  const state = orThrow(restore(model.flow, model.optimiser)(saved))
  try {
    return await use({
      ...model,
      config: saved.config,
      engine,
      state,
      checkpoint: basename(saved.path),
      params: averageParams(model.flow, model.optimiser, state),
    })
  } finally {
    disposeState(state)
  }
}

/**
 * The data that a run was trained on.
 *
 * @throws DiffeoException if the data cannot be read, or are not the data that the run began with
 */
export const examplesOf = async ({ config }: OpenRun, flags: RunFlags): Promise<Examples> => {
  const data = flags.data === undefined ? config.data : { ...config.data, folder: flags.data }
  const set = await loadRunData(data, config.recipe)
  requireSameContents(config.contents, set.contents)
  return set.examples(config.recipe, config.given)
}
