/**
 * The state of a training: made from a first batch, copied, freed, averaged.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Called } from '../../types/check.js'
import type { Shape } from '../../types/shape.js'
import { type DiffeoError, DiffeoException, orThrow, trainingError, usageError } from '../error.js'
import { hostedCopy } from '../host.js'
import { jit } from '../jit.js'
import { requireEngine } from '../missing-engine.js'
import { checkParams } from '../tensor/check-params.js'
import { shown } from '../tensor/numbers.js'
import { disposeParams, leaves, mapLeaves, type Param, type Params, type Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { type AnyTensor, refuseFreed, toArray, trust, unwrap } from '../tensor/tensor.js'
import { tensorsIn } from '../tree.js'
import { notFiniteIn } from './ahead.js'
import type { LossScale } from './lossScale.js'
import { objectiveOf, type Trainable } from './objective.js'
import type { Averaged, Moments, Optimiser } from './optimiser.js'

/** Everything that training needs to go on: a value, and all of a checkpoint. */
export interface TrainState {
  /** How many steps have been taken. */
  readonly step: number
  readonly params: Params
  readonly moments: Moments
  /** Only where the loss is scaled. */
  readonly lossScale?: LossScale
}

/** @internal */
export const trainable = (spec: Param): boolean => spec.role !== 'statistic'

/** What has parameters. */
interface Specified {
  readonly spec: Spec
}

/** The trained leaves of a tree, in order. */
export const trained = ({ spec: all }: Specified, params: Params): readonly tf.Tensor[] => {
  const values = leaves<AnyTensor>(params)
  return leaves<Param>(all).flatMap(([, spec], i) => (trainable(spec) ? [unwrap(values[i]![1])] : []))
}

/** `params` with its trained leaves replaced, in order. */
export const withTrained = ({ spec }: Specified, params: Params, values: readonly tf.Tensor[]): Params => {
  const specs = leaves<Param>(spec)
  let place = 0
  let next = 0
  return mapLeaves(params, (leaf) => (trainable(specs[place++]![1]) ? trust<Shape>(values[next++]!) : leaf)) as Params
}

/**
 * Returns the initial state. The first batch initialises data-dependent parameters (ActNorm), as one program.
 *
 * @throws DiffeoException (as a rejection) if the batch was freed or has a number that is not finite, which it names by
 *   its example; or if a parameter that comes from it is not finite
 * @example const start = await startTraining(moons, adam(), key(0), draw(key(1), 256))
 */
export const startTraining = async <X, O = Optimiser>(
  of: Trainable<X>,
  optimiser: Called<O, 'startTraining', 'an optimiser'> & Optimiser & O,
  key: Key,
  first: NoInfer<X>,
): Promise<TrainState> => {
  const op = 'startTraining'
  requireEngine()
  const objective = objectiveOf(of, op)
  const { start = (params: Params) => () => params } = objective
  refuseFreed(op, 'a first batch', tensorsIn(first))
  const bad = await notFiniteIn(first)
  if (bad !== undefined)
    throw new DiffeoException(trainingError(op, 'a first batch of finite numbers', bad, 'fix the data'))
  const begin = jit((params: Params, batch: X) => start(params)(batch), { batch: 1 })
  const drawn = objective.init(key)
  try {
    checkParams(op, objective.spec, drawn)
    const params = await begin(drawn, first)
    for (const [path, leaf] of leaves<AnyTensor>(params))
      if (!(await toArray(leaf)).every(Number.isFinite)) {
        disposeParams(params)
        throw new DiffeoException(
          trainingError(
            op,
            'a first batch that gives finite parameters',
            `others in ${path}`,
            "check that the data lie in the flow's domain",
          ),
        )
      }
    const state = { step: 0, params, moments: optimiser.init(trained(objective, params)) }
    // optimisers compute outside of jit
    const start = copyState(state)
    disposeState(state)
    return start
  } finally {
    disposeParams(drawn)
    await begin.dispose()
  }
}

/** Moments do not say what they are, but there have to be as many lists of them as the optimiser has. */
export const fits = (op: string, optimiser: Optimiser): ((moments: Moments) => E.Either<DiffeoError, Moments>) => {
  const length = tf.tidy(() => optimiser.init([]).length)
  return (moments) =>
    moments.length === length
      ? E.right(moments)
      : E.left(
          trainingError(
            op,
            `${length} lists of moments`,
            `${moments.length}`,
            'pass the optimiser that made the state',
          ),
        )
}

/**
 * Refuses a state whose parameters are not those of a spec, and what is no state.
 *
 * @throws DiffeoException
 * @internal
 */
export const checkState = (op: string, spec: Spec, state: TrainState): void => {
  if (!Array.isArray(state?.moments)) {
    const got = `${shown(state)}${typeof state === 'object' && state !== null ? ' without moments' : ''}`
    throw new DiffeoException(usageError(op, 'a state of training', got, 'pass model.state'))
  }
  checkParams(op, spec, state.params)
}

/** Every tensor of a state. */
export const tensorsOf = ({ params, moments }: Pick<TrainState, 'params' | 'moments'>): readonly tf.Tensor[] =>
  tensorsIn([params, moments])

/**
 * Frees a state's tensors.
 *
 * @example disposeState(start)
 */
export const disposeState = (state: TrainState): void => tf.dispose([...tensorsOf(state)])

/** Parameters in separate tensors. */
export const copyParams = (params: Params): Params =>
  mapLeaves<AnyTensor, AnyTensor>(params, (leaf) => trust<Shape>(hostedCopy(unwrap(leaf))))

/**
 * The same values in separate tensors.
 *
 * @throws DiffeoException if the state was freed: one of an event of `fit` is, at the next event
 * @example const kept = copyState(start)
 */
export const copyState = (state: TrainState): TrainState => {
  refuseFreed('copyState', 'a state with its tensors', tensorsOf(state))
  return {
    ...state,
    params: copyParams(state.params),
    moments: state.moments.map((list) => list.map(hostedCopy)),
  }
}

/**
 * The parameters with the average that `averaged` keeps in place of the trained ones. Borrows; frees nothing. The
 * compiler refuses an optimiser that keeps none.
 *
 * @param state one that this optimiser made: moments do not say what they are.
 * @throws DiffeoException if the state was freed, or has another number of lists of moments
 * @example
 * const optimiser = averaged(adam())
 * const start = await startTraining(moons, optimiser, key(0), x)
 * const [next] = await trainStep(moons, { optimiser, learningRate: constantRate(1e-3) })(start, x)
 * const params = averageParams(moons, optimiser, next)
 */
export const averageParams = (of: Specified, optimiser: Averaged, state: TrainState): Params => {
  checkParams('averageParams', of.spec, state.params)
  refuseFreed('averageParams', 'a state with its tensors', tensorsOf(state))
  return withTrained(of, state.params, optimiser.average(orThrow(fits('averageParams', optimiser)(state.moments))))
}
