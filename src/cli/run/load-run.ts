/**
 * `loadRun(folder)`: the model of a training by the command.
 *
 * @module
 */
import type { Latents, Shape } from '../../../types/shape.js'
import { type Model, modelOf, type Saveable } from '../../api/model.js'
import { ensureEngine, saveable } from '../../api/node.js'
import type { Flow } from '../../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { shown } from '../../tensor/numbers.js'
import { restore } from '../../train/restore.js'
import { averageParams, copyParams } from '../../train/state.js'
import { isRun, loadSaved, type Which } from './folder.js'
import { modelOf as flowOf } from './model.js'
import { requireBest } from './open-run.js'

export interface LoadRunOptions {
  /** Which checkpoint to load first. Default: last */
  readonly checkpoint?: Which
  /** The file of the run's model, if it was trained with `--model file`: it is code, which no run may choose. */
  readonly model?: string
}

/**
 * The model of a folder that `diffeo train` wrote, with averaged parameters. The flow is that of the run's configuration.
 *
 * @throws DiffeoException (as a rejection) if the folder has no run, or its checkpoint cannot be read
 * @example const digits = await loadRun('runs/mnist')
 */
export const loadRun = async (
  folder: string,
  { checkpoint, model }: LoadRunOptions = {},
): Promise<Model<Shape, Latents> & Saveable> => {
  if (typeof folder !== 'string' || !isRun(folder))
    throw new DiffeoException(
      usageError('loadRun', 'a folder with a run', shown(folder), 'train one: npx diffeo train mnist --out runs/mnist'),
    )
  await requireBest(folder, checkpoint)
  const { saved } = await loadSaved(folder, checkpoint)
  const { flow, optimiser } = await flowOf(saved.config, model)
  await ensureEngine()
  const state = orThrow(restore(flow, optimiser)(saved))
  // `averageParams` borrows from the state
  const params = copyParams(averageParams(flow, optimiser, state))
  return saveable<Flow<Shape, Latents>>(modelOf(flow, { params, state, history: [] }))
}
