/**
 * `train`, `load` and `save` in Node: the engine is chosen at the first call, progress is shown in terminals, and models
 * are files.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { Presets, SingleBar } from 'cli-progress'
import * as t from 'io-ts'
import { ready } from '../backends/engine.js'
import { expectKind } from '../bijector/arguments.js'
import type { AnyConditionalFlow, AnyFlow } from '../distribution/flow.js'
import { DiffeoException, orThrow, usageError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { loadCheckpoint, saveCheckpoint } from '../train/checkpoint.js'
import { restore, restoreBest } from '../train/restore.js'
import { copyState } from '../train/state.js'
import { type ModelOf, modelOf, type Saveable } from './model.js'
import { type DataOf, type Progress, type TrainOptions, trainIn } from './train.js'

/** What a model's file holds beside its parameters and its state. */
const Saved = t.type({ history: t.array(t.type({ step: t.number, loss: t.number })) }, 'the history of a model')

const expectPath = (op: string, path: unknown): void => {
  if (typeof path !== 'string' || path === '')
    throw new DiffeoException(usageError(op, 'the path of a file', shown(path)))
}

/** Chooses an engine, if none computes yet. */
export const ensureEngine = async (): Promise<void> => {
  try {
    tf.engine().backend
  } catch {
    await ready()
  }
}

/** A line that is redrawn, in a terminal alone. */
const show = () => {
  if (process.stderr.isTTY !== true) return { hear: () => undefined, end: () => undefined }
  const format = 'step {value}/{total} {bar} loss {loss}{validation} {eta_formatted}'
  const bar = new SingleBar(
    { format, stream: process.stderr, barsize: 16, gracefulExit: false },
    Presets.shades_classic,
  )
  let started = false
  return {
    hear: ({ step, steps = step, loss, validation }: Progress) => {
      const figures = {
        loss: loss.toFixed(3),
        validation: validation === undefined ? '' : `, validation ${validation.toFixed(3)}`,
      }
      if (!started) bar.start(steps, step, figures)
      started = true
      bar.setTotal(steps)
      bar.update(step, figures)
    },
    end: () => bar.stop(),
  }
}

/** A model that can be saved. */
export const saveable = <L extends AnyFlow | AnyConditionalFlow>(model: ModelOf<L>): ModelOf<L> & Saveable => {
  const { density, state, params, history } = model as ModelOf<AnyFlow>
  const save = async (path: string): Promise<void> => {
    expectPath('save', path)
    const figure = history.reduce((least, { loss }) => Math.min(least, loss), Number.POSITIVE_INFINITY)
    const best = { params, bitsPerDim: Number.isFinite(figure) ? figure : 0 }
    orThrow(await saveCheckpoint(path)({ state, flow: density, best, config: { history } })())
  }
  return { ...model, save }
}

const run = trainIn({ ready: ensureEngine, show })

/**
 * Trains a flow on data, and returns the model with the best validated parameters. The engine is the best there is, unless
 * `ready` chose one before. Progress is shown where stderr is a terminal.
 *
 * @throws DiffeoException (as a rejection) if an option or the data do not fit, or if training fails
 * @example
 * const model = await train(density([2], realNvpVector()), twoMoons(), { key: key(0), steps: 200 })
 * await model.logProb([[0.5, 0.2]]) // Float32Array, nats
 * await model.sample(500, { key: key(1) }) // { shape: [500, 2], data: Float32Array }
 */
export const train = async <L extends AnyFlow | AnyConditionalFlow>(
  density: L,
  data: DataOf<L>,
  options: TrainOptions,
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
  const state = orThrow(restore(density)(saved))
  const params = orThrow(restoreBest(density)(saved)) ?? copyState(state).params
  return saveable(modelOf<L>(density, params, state, saved.config.history))
}
