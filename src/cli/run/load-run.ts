/**
 * `loadRun(folder)`: the model of a training by the command.
 *
 * @module
 */
import type { Latents, Shape } from '../../../types/shape.js'
import { type ConditionalModel, type Model, modelOf, type Saveable } from '../../api/model.js'
import { ensureEngine, saveable } from '../../api/node.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { shown } from '../../tensor/numbers.js'
import { sameShape } from '../../tensor/shape.js'
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
  /** The shape of a context, for a run that was trained with `--given`: `[10]` for ten classes. */
  readonly given?: Shape
}

const requireContext = (folder: string, context: Shape | undefined, asked: Shape | undefined): void => {
  if (context === undefined ? asked === undefined : asked !== undefined && sameShape(context, asked)) return
  const [expected, got] = [context, asked].map((own) => (own === undefined ? 'no context' : `given: [${own}]`))
  const fix = context === undefined ? 'leave given out' : `load it with { given: [${context}] }`
  throw new DiffeoException(usageError(`loadRun ${folder}`, expected!, got!, fix))
}

/**
 * The model of a folder that `diffeo train` wrote, with averaged parameters. The flow is that of the run's configuration.
 *
 * @throws DiffeoException (as a rejection) if the folder has no run, its checkpoint cannot be read, or `given` is not the
 * shape of its contexts
 * @example const digits = await loadRun('runs/mnist')
 * @example
 * const classes = await loadRun('runs/classes', { given: [10] }) // of `diffeo train mnist --given labels`
 * await classes.given(oneHot([7], 10)).sample(8, { key: key(0) })
 */
export async function loadRun<const C extends Shape>(
  folder: string,
  options: LoadRunOptions & { readonly given: C },
): Promise<ConditionalModel<Shape, C, Latents> & Saveable>
export async function loadRun(
  folder: string,
  options?: LoadRunOptions & { readonly given?: never },
): Promise<Model<Shape, Latents> & Saveable>
export async function loadRun(folder: string, { checkpoint, model, given }: LoadRunOptions = {}): Promise<object> {
  if (typeof folder !== 'string' || !isRun(folder))
    throw new DiffeoException(
      usageError('loadRun', 'a folder with a run', shown(folder), 'train one: npx diffeo train mnist --out runs/mnist'),
    )
  await requireBest(folder, checkpoint)
  const { saved } = await loadSaved(folder, checkpoint)
  const { flow, optimiser } = await flowOf(saved.config, model)
  requireContext(folder, 'given' in flow ? flow.bijector.context : undefined, given)
  await ensureEngine()
  const state = orThrow(restore(flow, optimiser)(saved))
  // `averageParams` borrows from the state
  const params = copyParams(averageParams(flow, optimiser, state))
  return saveable<typeof flow>(modelOf(flow, { params, state, history: [] }))
}
