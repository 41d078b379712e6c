/**
 * `diffeo/train`: the parts of `train`, for programs that need more control: steps, optimisers, states, evaluation and
 * checkpoints.
 *
 * @module
 */
import { train } from '../api/node.js'
import { npeIn } from '../inference/npe.js'
import type { Params } from '../tensor/params.js'
import { rejecting, throwing } from '../throwing.js'
import type { Checkpoint, Snapshot } from '../train/checkpoint.js'
import * as checkpoint from '../train/checkpoint.js'
import type { Optimiser } from '../train/optimiser.js'
import * as restoring from '../train/restore.js'
import type { TrainState } from '../train/state.js'

export {
  type Calibration,
  type CalibrationOptions,
  calibration,
  type Estimate,
  type Uniformity,
} from '../inference/calibration.js'
export type { NpeOptions, Posterior, PosteriorEstimate } from '../inference/npe.js'
export { boxPrior, normalPrior, type Prior } from '../inference/prior.js'
export { type ProcessOptions, type ProcessSimulator, simulatorProcess } from '../inference/process.js'
export type { Simulations, Simulator } from '../inference/simulate.js'
export type { BestFigures, Checkpoint, Snapshot } from '../train/checkpoint.js'
export * from './train.browser.js'

/**
 * Estimates the posterior of a simulator's parameters: simulates at draws of the prior, and trains a conditional flow on
 * the pairs. The estimate is for every observation; with `rounds` and an `observation`, later simulations go where its
 * posterior has its mass.
 *
 * @throws DiffeoException (as a rejection) if an option is wrong, more than half of the simulations fail, or training fails
 * @example
 * const simulator = ([a, b]: Float32Array, k: Key) => normalArray(k, 3).map((z) => a! + b! * z)
 * const posterior = await npe(simulator, boxPrior([-1, 0.1], [1, 2]), { key: key(0), simulations: 500, steps: 100 })
 * const { data } = await posterior.given([0.2, 0.5, -0.1]).sample(100, { key: key(1) })
 */
export const npe = npeIn(train)

/**
 * Writes a checkpoint atomically. The tensors are read when the call starts and may be freed after that; their number does
 * not change.
 *
 * @throws DiffeoException (as a rejection) if the file cannot be written, `config` has no JSON, the best figure is not
 * finite, or the state was freed before
 * @example
 * await saveCheckpoint('run.safetensors', { state: start, flow: moons, config: { width: 32 } })
 */
export const saveCheckpoint = rejecting((path: string, snapshot: Snapshot) => checkpoint.saveCheckpoint(path)(snapshot))

/**
 * Reads a checkpoint: its configuration, decoded by `codec` if there is one, and plain arrays. Creates no tensors.
 *
 * @throws DiffeoException (as a rejection) if the file cannot be read, is damaged, no checkpoint, of a newer version, or of
 * another configuration
 * @example await loadCheckpoint('run.safetensors', t.type({ width: t.number })) // { config: { width: 32 }, … }
 */
export const loadCheckpoint = rejecting(checkpoint.loadCheckpoint)

/**
 * The state of a checkpoint as new tensors, which the caller frees. The checkpoint must have exactly the tensors and shapes
 * of the flow; otherwise none is created. A flow that computes other numbers than the trained one is refused; pass only
 * its spec to skip that check. With an optimiser, a state of one with another number of moments is refused, too.
 *
 * @throws DiffeoException with the tensor's name and both shapes; for another optimiser, or a flow that changed
 * @example const state = restore(saved, moons, adam())
 */
export const restore = throwing(
  (saved: Checkpoint<unknown>, of: Parameters<typeof restoring.restore>[0], optimiser?: Optimiser) =>
    restoring.restore(of, optimiser)(saved),
) satisfies (saved: Checkpoint<unknown>, of: never) => TrainState

/**
 * The best parameters of a checkpoint as new tensors, which the caller frees; `undefined` if it has none.
 *
 * @throws DiffeoException with the tensor's name and both shapes; for a flow that changed
 * @example const best = restoreBest(saved, moons)
 */
export const restoreBest = throwing((saved: Checkpoint<unknown>, of: Parameters<typeof restoring.restoreBest>[0]) =>
  restoring.restoreBest(of)(saved),
) satisfies (saved: Checkpoint<unknown>, of: never) => Params | undefined
