/**
 * `fit`: training as an async iterable of events. It only iterates: every step is the pure {@link trainStep}, every batch a
 * function of the step's number, so a run that stops and goes on from its state is the run that never stopped.
 *
 * @module
 */
import type { Called } from '../../types/check.js'
import { type DiffeoError, DiffeoException, trainingError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { disposeParams, type Params } from '../tensor/params.js'
import { refuseFreed, unwrap } from '../tensor/tensor.js'
import { tensorsIn } from '../tree.js'
import { ahead, breathe, type MaybeLater } from './ahead.js'
import { type Batches, type Evaluation, type EvaluationProgress, evaluate, trainingFigures } from './evaluate.js'
import { whyNotFinite, whyNotValid } from './not-finite.js'
import { type ObjectiveKind, objectiveOf, optionsOf, type Trainable } from './objective.js'
import type { Optimiser } from './optimiser.js'
import { checkState, copyParams, copyState, disposeState, type TrainState, tensorsOf } from './state.js'
import { hasFiniteLoss, type StepMetrics, type StepOptions, type Stepper, trainStep } from './step.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** The step is about to be compiled for batches of this shape, which may take seconds. `state` has not changed yet. */
export interface Compiling {
  readonly _tag: 'Compiling'
  readonly state: TrainState
}

/** The step was compiled. No step was taken yet; the time limit `seconds` starts now. */
export interface Compiled {
  readonly _tag: 'Compiled'
  readonly state: TrainState
  readonly seconds: number
}

/** One step was taken. `state` is valid until the next event. */
export type Stepped<K extends ObjectiveKind = 'likelihood'> = StepMetrics<K> & {
  readonly _tag: 'Stepped'
  readonly state: TrainState
  /** Seconds of this step, the waiting for its batch included. */
  readonly seconds: number
}

/** A validation was made, in evaluation mode. `state` is valid until the next event. */
export type Validated<K extends ObjectiveKind = 'likelihood'> = Evaluation<K> & {
  readonly _tag: 'Validated'
  readonly state: TrainState
  /** Whether it is the best so far. */
  readonly best: boolean
  /** How many validations in a row were no better than the best; 0 if this is it. A checkpoint keeps it. */
  readonly worse: number
}

/** The best validation of a run, and the parameters that it validated. */
export interface Best {
  readonly step: number
  /** The mean of the validation: bits/dim of a likelihood, else the loss. */
  readonly mean: number
  /** A copy, the caller's to free: `disposeParams(best.params)`. */
  readonly params: Params
}

/**
 * Training ended. `state` is the last one whose loss was finite, and the caller's to free. Where a loss or a validation
 * was not finite, the newest state counts if its loss on the batch before is finite; otherwise the state before it.
 */
export interface Stopped {
  readonly _tag: 'Stopped'
  readonly reason: 'steps' | 'time' | 'patience' | 'aborted' | 'notFinite' | 'failed'
  readonly state: TrainState
  /**
   * With `validation.keepBest`: the best validation, if there was one with a finite mean, better than the `best` that the run
   * began with. Its parameters are the caller's to free.
   */
  readonly best?: Best
  /**
   * Why, if it was not meant to end: `notFinite` because a loss, a gradient or a validation was not; `failed` because a
   * batch, a step or a validation could not be made.
   */
  readonly error?: DiffeoError
}

export type FitEvent<K extends ObjectiveKind = 'likelihood'> =
  | Compiling
  | Compiled
  | Stepped<K>
  | Validated<K>
  | Stopped

export interface FitOptions<X> extends StepOptions {
  /**
   * The batch of a step, counted from 0: a pure function, so that runs can be resumed. The next is begun one step early.
   * A tensor that the call makes is freed after use, unless the next call returns it too; one that was there before stays
   * the caller's.
   */
  readonly batch: (step: number) => MaybeLater<X>
  /** What it compiles stays for the next: `compiled(flow).dispose()` frees it. */
  readonly validation?: {
    readonly batches: Batches<X>
    /** Validate after each so many steps. */
    readonly every: number
    /** Stop after so many validations without a better one. */
    readonly patience?: number
    /** The best before this run, if it goes on from a checkpoint. */
    readonly best?: number
    /** How many validations since then were no better, if it goes on from a checkpoint. */
    readonly worse?: number
    /** Which parameters to validate; default the state's own. An average is the caller's to make and free. */
    readonly params?: (state: TrainState) => Params
    readonly progress?: EvaluationProgress
    /**
     * Whether `Stopped.best` has a copy of the parameters of the best validation, which the caller frees. It costs their
     * memory. Default: false
     */
    readonly keepBest?: boolean
  }
  /** Stop when the state has taken so many steps in all. */
  readonly steps?: number
  /** Stop after so many seconds; compiling does not count. */
  readonly seconds?: number
  readonly signal?: AbortSignal
}

// -------------------------------------------------------------------------------------
// why it ends
// -------------------------------------------------------------------------------------

/** How a training ends. */
interface End {
  readonly reason: Stopped['reason']
  readonly error?: DiffeoError
}

/** What a part of the step returns. Whatever it throws becomes an error of `fit`: a fault must not cost the state. */
const attempt = async <R>(when: string, what: string, f: () => Promise<R>): Promise<R> => {
  try {
    return await f()
  } catch (thrown) {
    if (thrown instanceof DiffeoException) throw thrown
    throw new DiffeoException(trainingError(`fit ${when}`, what, `${thrown}`))
  }
}

/** What to do about a batch that was freed before its step. */
const FRESH =
  'return a new tensor from each call of batch, or one that was made before fit began and lives until it ends'

// -------------------------------------------------------------------------------------
// what a run owns
// -------------------------------------------------------------------------------------

/** The newest state, and the one before it: whether the newest has a finite loss is known only one step later. */
const lastStates = <X, K extends ObjectiveKind>(of: Trainable<X, K>, from: TrainState) => {
  let newest = from
  let before: { readonly state: TrainState; readonly batch: X } | undefined
  const forget = (): void => {
    if (before !== undefined) disposeState(before.state)
    before = undefined
  }
  const hasFinite = async (batch: X): Promise<boolean> => {
    const run = trainingFigures(of)
    try {
      const figures = unwrap(await run(newest.params, batch))
      const all = await figures.data()
      figures.dispose()
      return all.every(Number.isFinite)
    } catch {
      return true // what cannot be measured is kept
    } finally {
      await run.dispose()
    }
  }
  return {
    newest: () => newest,
    advance: (state: TrainState, batch: X): void => {
      forget()
      before = { state: newest, batch }
      newest = state
    },
    /** Goes back to the last state whose loss was finite: the newest, unless its loss on the batch before is not. */
    goBack: async (): Promise<void> => {
      if (before === undefined || (await hasFinite(before.batch))) return
      disposeState(newest)
      newest = before.state
      before = undefined
    },
    forget,
  }
}

/** The best validation so far. */
const bestOf = ({ best, worse = 0 }: { readonly best?: number; readonly worse?: number } = {}) => {
  let least = best !== undefined && Number.isFinite(best) ? best : Number.POSITIVE_INFINITY
  let sinceThen = worse
  return {
    /** How many validations in a row were no better. */
    worse: () => sinceThen,
    /** Whether a figure is the best so far. */
    isBest: (figure: number): boolean => {
      const better = figure < least
      sinceThen = better ? 0 : sinceThen + 1
      if (better) least = figure
      return better
    },
  }
}

/** A copy of the parameters of the best validation. */
const bestParams = () => {
  let kept: Best | undefined
  const forget = (): void => {
    if (kept !== undefined) disposeParams(kept.params)
    kept = undefined
  }
  return {
    kept: () => kept,
    keep: (step: number, mean: number, params: Params): void => {
      forget()
      kept = { step, mean, params: copyParams(params) }
    },
    forget,
  }
}

// -------------------------------------------------------------------------------------
// the loop
// -------------------------------------------------------------------------------------

/** The events of a training until it ends. */
async function* training<X, K extends ObjectiveKind>(
  of: Trainable<X, K>,
  states: ReturnType<typeof lastStates<X, K>>,
  keeper: ReturnType<typeof bestParams>,
  next: Stepper<X, K>,
  batches: AsyncGenerator<X, undefined, undefined>,
  options: FitOptions<X>,
): AsyncGenerator<Compiling | Compiled | Stepped<K> | Validated<K>, End, undefined> {
  const { validation, steps = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY, signal } = options
  const patience = validation?.patience ?? Number.POSITIVE_INFINITY
  const best = bestOf(validation)
  let began = performance.now()
  const ended = (): Stopped['reason'] | undefined =>
    signal?.aborted
      ? 'aborted'
      : best.worse() >= patience
        ? 'patience'
        : states.newest().step >= steps
          ? 'steps'
          : performance.now() - began >= seconds * 1000
            ? 'time'
            : undefined

  for (let compiled = false; ; ) {
    const reason = ended()
    if (reason !== undefined) return { reason }
    const state = states.newest()
    const at = `at step ${state.step + 1}`
    if (!compiled) yield { _tag: 'Compiling', state }
    let started = performance.now()
    const { value: batch } = await attempt(at, 'a batch', () => batches.next())
    if (batch === undefined) {
      const fix = `make steps a number: it is ${shown(options.steps)}`
      return { reason: 'failed', error: trainingError(`fit ${at}`, 'a batch', 'none', fix) }
    }
    if (!compiled) {
      await attempt(at, 'a step that compiles', () => next.prepare(state, batch))
      compiled = true
      yield { _tag: 'Compiled', state, seconds: (performance.now() - started) / 1000 }
      started = began = performance.now()
    }
    const [after, metrics] = await attempt(at, 'a step', () => next(state, batch)).catch((thrown: DiffeoException) => {
      const wasFreed = tensorsIn(batch).some(({ isDisposed }) => isDisposed)
      throw wasFreed ? new DiffeoException({ ...thrown.error, fix: FRESH }) : thrown
    })
    if (!hasFiniteLoss(metrics) || !Number.isFinite(metrics.gradientNorm)) {
      disposeState(after)
      return { reason: 'notFinite', error: await whyNotFinite(at, batch, metrics) }
    }
    states.advance(after, batch)
    const took = (performance.now() - started) / 1000
    // a spread of figures that depend on `K`
    yield { _tag: 'Stepped', state: after, ...metrics, seconds: took } as Stepped<K>
    if (validation !== undefined && after.step % validation.every === 0) {
      const when = `after step ${after.step}`
      const [params, evaluation] = await attempt(when, 'a validation', async () => {
        const validated = validation.params?.(after) ?? after.params
        return [validated, await evaluate(of, validated, validation.batches, validation.progress)] as const
      })
      const isBest = best.isBest(evaluation.mean)
      if (isBest && validation.keepBest && Number.isFinite(evaluation.mean))
        keeper.keep(after.step, evaluation.mean, params)
      yield { _tag: 'Validated', state: after, ...evaluation, best: isBest, worse: best.worse() } as Validated<K>
      if (!Number.isFinite(evaluation.mean))
        return { reason: 'notFinite', error: await whyNotValid(when, validation.batches, evaluation) }
    }
    await breathe()
  }
}

/**
 * Trains from a state. The state that comes in stays the caller's; the one in `Stopped` is the caller's too, and so are the
 * parameters in its `best`. What goes wrong
 * in a batch, a step or a validation is not thrown: it ends the iteration with `Stopped`, its `error` and the last good
 * state.
 *
 * @example
 * const batch = (step: number) => draw(foldIn(k, step), 256)
 * const options = { optimiser: adam(), learningRate: constantRate(1e-3), batch }
 * for await (const event of fit(moons, start, { ...options, steps: 1000 }))
 *   if (event._tag === 'Stepped') console.log(event.state.step, event.bitsPerDim)
 */
export async function* fit<X, K extends ObjectiveKind = 'likelihood', O = Optimiser>(
  of: Trainable<X, K>,
  from: TrainState,
  options: { readonly optimiser: Called<O, 'fit', 'an optimiser'> & O } & FitOptions<NoInfer<X>>,
): AsyncGenerator<FitEvent<K>, void, undefined> {
  const { spec } = objectiveOf(of, 'fit')
  const stepOptions: FitOptions<NoInfer<X>> = optionsOf('fit', options)
  const next = trainStep(of, stepOptions)
  checkState('fit', spec, from)
  refuseFreed('fit', 'a state with its tensors', tensorsOf(from))
  const states = lastStates(of, copyState(from))
  const keeper = bestParams()
  const steps = options.steps ?? Number.POSITIVE_INFINITY
  const batches = ahead((n) => `fit at step ${n + 1}`, options.batch, from.step, steps, 2)
  let handedOver = false
  try {
    let end: End
    try {
      end = yield* training(of, states, keeper, next, batches, options)
    } catch (thrown) {
      if (!(thrown instanceof DiffeoException)) throw thrown
      end = { reason: 'failed', error: thrown.error }
    }
    if (end.reason === 'notFinite') await states.goBack()
    handedOver = true
    const best = keeper.kept()
    yield { _tag: 'Stopped', state: states.newest(), ...(best && { best }), ...end }
  } finally {
    await batches.return(undefined)
    states.forget()
    if (!handedOver) {
      disposeState(states.newest())
      keeper.forget()
    }
    await next.dispose()
  }
}
