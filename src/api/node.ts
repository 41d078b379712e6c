/**
 * `train`, `load` and `save` in Node: the engine is chosen at the first call, progress is shown in terminals, and models
 * are files.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as t from 'io-ts'
import { ready } from '../backends/engine.js'
import { expectKind } from '../bijector/arguments.js'
import { type AnyConditionalFlow, type AnyFlow, toBitsPerDim } from '../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../error.js'
import { progress } from '../progress.js'
import { shown } from '../tensor/numbers.js'
import { product } from '../tensor/shape.js'
import { loadCheckpoint, saveCheckpoint } from '../train/checkpoint.js'
import { restore, restoreBest } from '../train/restore.js'
import { averageParams, copyParams, type TrainState } from '../train/state.js'
import { type ModelOf, modelOf, type Resumes, type Saveable } from './model.js'
import { type DataOf, optimiser, type ProgressLine, type TrainOptions, trainIn } from './train.js'

/** The metadata in a model's file, besides its parameters and its state. */
const Entry = t.type({ step: t.number, loss: t.number })
const Saved = t.intersection(
  [t.type({ history: t.array(Entry) }), t.partial({ best: Entry })],
  'the history of a model',
)

const expectPath = (op: string, path: unknown): void => {
  if (typeof path !== 'string' || path === '')
    throw new DiffeoException(usageError(op, 'the path of a file', shown(path)))
}

/** Chooses an engine, unless one is in use already. */
export const ensureEngine = async (): Promise<void> => {
  try {
    tf.engine().backend
  } catch {
    await ready()
  }
}

/** Shows progress on stderr, in terminals only. Training by minutes has no bar, because its number of steps is unknown. */
const show = (steps: number | undefined): ProgressLine => {
  const format = `step {step} ${steps === undefined ? '' : 'of {total} {bar} {eta_formatted} '}loss {loss}{validation}`
  const line = progress(process.stderr)(format, steps ?? 1, { step: '0', loss: '', validation: '' })
  return {
    update: ({ step, loss, validation }) =>
      line.update(step, {
        step: `${step}`,
        loss: loss.toFixed(3),
        validation: validation === undefined ? '' : `, validation ${validation.toFixed(3)}`,
      }),
    stop: line.stop,
  }
}

/** A model that can be saved. */
export const saveable = <L extends AnyFlow | AnyConditionalFlow>(model: ModelOf<L>): ModelOf<L> & Saveable => {
  const { density, state, params, history, best } = model as ModelOf<AnyFlow>
  const save = async (path: string): Promise<void> => {
    expectPath('save', path)
    const figures = best && { bitsPerDim: toBitsPerDim(-best.loss, product(density.bijector.domain)), params }
    const config = { history, ...(best && { best }) }
    orThrow(await saveCheckpoint(path)({ state, flow: density, config, ...(figures && { best: figures }) })())
  }
  return { ...model, save }
}

const run = trainIn({ ready: ensureEngine, show })

/**
 * Trains a flow on data, and returns the model with the best validated parameters. The engine is the best one available,
 * unless `ready` chose one before. Progress is shown if stderr is a terminal.
 *
 * @throws DiffeoException (as a rejection) if an option or the data do not fit, or if training fails
 * @example
 * const model = await train(density([2], realNvpVector()), twoMoons(), { key: key(0), steps: 200 })
 * await model.logProb([[0.5, 0.2]]) // Float32Array, nats
 * await model.sample(500, { key: key(1) }) // { shape: [500, 2], data: Float32Array }
 */
export const train = async <L extends AnyFlow | AnyConditionalFlow, S = TrainState>(
  density: L,
  data: DataOf<L>,
  options: TrainOptions & { readonly from?: Resumes<L, S> & S },
): Promise<ModelOf<L> & Saveable> => saveable(await run(density, data, options))

/**
 * A model that `save` wrote, for the same density.
 *
 * @throws DiffeoException (as a rejection) if the file cannot be read, or belongs to another density
 * @example
 * const again = await load(density([2], realNvpVector()), 'moons.safetensors')
 */
export const load = async <L extends AnyFlow | AnyConditionalFlow>(
  density: L,
  path: string,
): Promise<ModelOf<L> & Saveable> => {
  expectKind('load', 'a density', density, ['a density'], 'make one: density(shape, layers)')
  expectPath('load', path)
  await ensureEngine()
  const saved = orThrow(await loadCheckpoint(path, Saved)())
  const state = orThrow(restore(density, optimiser)(saved))
  const params = orThrow(restoreBest(density)(saved)) ?? copyParams(averageParams(density, optimiser, state))
  return saveable(modelOf<L>(density, { ...saved.config, params, state }))
}
