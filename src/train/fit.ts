/**
 * `fit`: training as an async iterable of events. It only iterates: every step is the pure {@link step}, every batch a
 * function of the step's number, so a run that stops and goes on from its state is the run that never stopped.
 *
 * @module
 */
import type { Latents, Shape } from '../../types/shape.js'
import type { Flow } from '../distribution/flow.js'
import { type DiffeoError, trainingError } from '../error.js'
import type { Params } from '../tensor/params.js'
import { type BatchOf, unwrap } from '../tensor/tensor.js'
import { type Batches, type Evaluation, evaluate } from './evaluate.js'
import { copyState, disposeState, type StepMetrics, type StepOptions, step, type TrainState } from './step.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** The step is about to be compiled for batches of this shape, which may take seconds. `state` is as it came. */
export interface Compiling {
  readonly _tag: 'Compiling'
  readonly state: TrainState
}

/** One step was taken. `state` is valid until the next event. */
export interface Stepped extends StepMetrics {
  readonly _tag: 'Stepped'
  readonly state: TrainState
  /** Seconds of this step, the making of its batch included. */
  readonly seconds: number
}

/** A validation was made, in evaluation mode. `state` is valid until the next event. */
export interface Validated extends Evaluation {
  readonly _tag: 'Validated'
  readonly state: TrainState
  /** Whether it is the best so far. */
  readonly best: boolean
  /** How many validations in a row were no better than the best; 0 if this is it. A checkpoint keeps it. */
  readonly worse: number
}

/** Training ended. `state` is the last good one, and the caller's to free. */
export interface Stopped {
  readonly _tag: 'Stopped'
  readonly reason: 'steps' | 'time' | 'patience' | 'aborted' | 'notFinite'
  readonly state: TrainState
  /** Why, if it was not meant to end. */
  readonly error?: DiffeoError
}

export type FitEvent = Compiling | Stepped | Validated | Stopped

export interface FitOptions<A extends Shape> extends StepOptions {
  /** The batch of a step, counted from 0: a pure function, so that runs can be resumed. */
  readonly batch: (step: number) => BatchOf<A>
  readonly validation?: {
    readonly batches: Batches<A>
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
  }
  /** Stop when the state has taken so many steps in all. */
  readonly steps?: number
  /** Stop after so many seconds; compiling does not count. */
  readonly seconds?: number
  readonly signal?: AbortSignal
}

// -------------------------------------------------------------------------------------
// the loop
// -------------------------------------------------------------------------------------

/** Frees a batch after its use. */
const using = async <X, R>(x: X, use: (x: X) => Promise<R>): Promise<R> => {
  try {
    return await use(x)
  } finally {
    unwrap(x as never).dispose()
  }
}

const breathe = () => new Promise((resolve) => setImmediate(resolve))

/**
 * Trains from a state. The state that comes in stays the caller's; the one in `Stopped` is the caller's too.
 *
 * @example
 * for await (const event of fit(moons, start, { optimiser: adam(), learningRate: constantRate(1e-3), batch, steps: 1000 }))
 *   if (event._tag === 'Stepped') console.log(event.state.step, event.bitsPerDim)
 */
export async function* fit<A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  from: TrainState,
  options: FitOptions<A>,
): AsyncGenerator<FitEvent, void, undefined> {
  const { batch, validation, steps = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY, signal } = options
  const next = step(flow, options)
  let began = performance.now()
  let compiled = false
  let state = copyState(from)
  let best = validation?.best ?? Number.POSITIVE_INFINITY
  let worse = validation?.worse ?? 0
  const patience = validation?.patience ?? Number.POSITIVE_INFINITY
  const stopped = (reason: Stopped['reason'], error?: DiffeoError): Stopped => {
    const final = { _tag: 'Stopped', reason, state } as const
    return error === undefined ? final : { ...final, error }
  }
  let handedOver = false
  try {
    for (;;) {
      const ended: Stopped['reason'] | undefined = signal?.aborted
        ? 'aborted'
        : worse >= patience
          ? 'patience'
          : state.step >= steps
            ? 'steps'
            : performance.now() - began >= seconds * 1000
              ? 'time'
              : undefined
      if (ended !== undefined) {
        handedOver = true
        yield stopped(ended)
        return
      }
      if (!compiled) {
        yield { _tag: 'Compiling', state }
        await using(batch(state.step), (x) => next.prepare(state, x))
        compiled = true
        began = performance.now()
      }
      const from = performance.now()
      const [after, metrics] = await using(batch(state.step), (x) => next(state, x))
      if (!Number.isFinite(metrics.bitsPerDim) || !Number.isFinite(metrics.gradientNorm)) {
        disposeState(after)
        handedOver = true
        const what = Number.isFinite(metrics.bitsPerDim) ? 'gradient' : 'loss'
        const fix = 'lower the learning rate or the gradient clip, or look for bad values in the data'
        yield stopped(
          'notFinite',
          trainingError(`fit at step ${after.step}`, `a finite ${what}`, 'one that is not', fix),
        )
        return
      }
      disposeState(state)
      state = after
      yield { _tag: 'Stepped', state, ...metrics, seconds: (performance.now() - from) / 1000 }
      if (validation !== undefined && state.step % validation.every === 0) {
        const evaluation = await evaluate(flow, (validation.params ?? ((s) => s.params))(state), validation.batches)
        const better = evaluation.mean < best
        worse = better ? 0 : worse + 1
        if (better) best = evaluation.mean
        yield { _tag: 'Validated', state, ...evaluation, best: better, worse }
      }
      await breathe()
    }
  } finally {
    if (!handedOver) disposeState(state)
    await next.dispose()
  }
}
