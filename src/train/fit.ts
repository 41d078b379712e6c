/**
 * `fit`: training as an async iterable of events. It only iterates: every step is the pure {@link step}, every batch a
 * function of the step's number, so a run that stops and goes on from its state is the run that never stopped.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Latents, Shape } from '../../types/shape.js'
import type { Flow } from '../distribution/flow.js'
import { type DiffeoError, DiffeoException, trainingError } from '../error.js'
import type { Params } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, sizes, values } from '../tensor/tensor.js'
import { ahead, breathe, type MaybeLater } from './ahead.js'
import { type Batches, type Evaluation, type EvaluationProgress, evaluate } from './evaluate.js'
import { copyState, disposeState, type StepMetrics, type StepOptions, step, type TrainState } from './step.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** The step is about to be compiled for batches of this shape, which may take seconds. `state` is as it came. */
export interface Compiling {
  readonly _tag: 'Compiling'
  readonly state: TrainState
}

/** It was compiled: no step was taken yet, and the time that `seconds` allows begins now. */
export interface Compiled {
  readonly _tag: 'Compiled'
  readonly state: TrainState
  readonly seconds: number
}

/** One step was taken. `state` is valid until the next event. */
export interface Stepped extends StepMetrics {
  readonly _tag: 'Stepped'
  readonly state: TrainState
  /** Seconds of this step, the waiting for its batch included. */
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
  readonly reason: 'steps' | 'time' | 'patience' | 'aborted' | 'notFinite' | 'failed'
  readonly state: TrainState
  /** Why, if it was not meant to end: `notFinite`, or `failed` because a batch, a step or a validation could not be made. */
  readonly error?: DiffeoError
}

export type FitEvent = Compiling | Compiled | Stepped | Validated | Stopped

export interface FitOptions<A extends Shape> extends StepOptions {
  /** The batch of a step, counted from 0: a pure function, so that runs can be resumed. The next is begun one step early. */
  readonly batch: (step: number) => MaybeLater<A>
  /** What it compiles stays for the next: `compiled(flow).dispose()` frees it. */
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
    readonly progress?: EvaluationProgress
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

/** What a part of the step that comes next answers, or why not. A fault of the program, too, must not cost the state. */
const made = <X>(when: string, what: string, f: () => Promise<X>): Promise<E.Either<DiffeoError, X>> =>
  TE.tryCatch(f, (thrown) =>
    thrown instanceof DiffeoException ? thrown.error : trainingError(`fit ${when}`, what, `${thrown}`),
  )()

/** What is wrong with a batch whose step came to nothing, if it is the batch. */
const spoilt = async (x: AnyTensor): Promise<string | undefined> => {
  const data = await values(x)
  const at = data.findIndex((value) => !Number.isFinite(value))
  return at < 0 ? undefined : `${data[at]} in example ${Math.floor(at / product(sizes(x).slice(1)))} of it`
}

/** From the last good state the same step comes to the same. */
const EARLIER = 'go on from an earlier state, with a lower learning rate or gradient clip'

/**
 * Trains from a state. The state that comes in stays the caller's; the one in `Stopped` is the caller's too. What goes wrong
 * in a batch, a step or a validation is not thrown: it ends the iteration with `Stopped`, its `error` and the last good
 * state.
 *
 * @example
 * const batch = (step: number) => draw(foldIn(k, step), 256)
 * const options = { optimiser: adam(), learningRate: constantRate(1e-3), batch }
 * for await (const event of fit(moons, start, { ...options, steps: 1000 }))
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
  let handedOver = false
  const stopped = (reason: Stopped['reason'], error?: DiffeoError): Stopped => {
    handedOver = true
    const final = { _tag: 'Stopped', reason, state } as const
    return error === undefined ? final : { ...final, error }
  }
  const batches = ahead(batch, state.step, steps)
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
        yield stopped(ended)
        return
      }
      if (!compiled) yield { _tag: 'Compiling', state }
      let started = performance.now()
      const at = `at step ${state.step + 1}`
      const x = await made(at, 'a batch', () => batches.next())
      if (E.isLeft(x)) {
        yield stopped('failed', x.left)
        return
      }
      if (!compiled) {
        const prepared = await made(at, 'a step that compiles', () => next.prepare(state, x.right.value!))
        if (E.isLeft(prepared)) {
          yield stopped('failed', prepared.left)
          return
        }
        compiled = true
        yield { _tag: 'Compiled', state, seconds: (performance.now() - started) / 1000 }
        started = began = performance.now()
      }
      const stepped = await made(at, 'a step', () => next(state, x.right.value!))
      if (E.isLeft(stepped)) {
        yield stopped('failed', stepped.left)
        return
      }
      const [after, metrics] = stepped.right
      if (!Number.isFinite(metrics.bitsPerDim) || !Number.isFinite(metrics.gradientNorm)) {
        disposeState(after)
        const bad = await spoilt(x.right.value as unknown as AnyTensor)
        const what = Number.isFinite(metrics.bitsPerDim) ? 'gradient' : 'loss'
        yield stopped(
          'notFinite',
          bad === undefined
            ? trainingError(`fit ${at}`, `a finite ${what}`, 'one that is not', EARLIER)
            : trainingError(
                `fit ${at}`,
                'a batch of finite numbers',
                bad,
                'mend the data, or what makes batches of them',
              ),
        )
        return
      }
      disposeState(state)
      state = after
      yield { _tag: 'Stepped', state, ...metrics, seconds: (performance.now() - started) / 1000 }
      if (validation !== undefined && state.step % validation.every === 0) {
        const { batches, progress } = validation
        const evaluated = await made(`after step ${state.step}`, 'a validation', async () =>
          evaluate(flow, validation.params?.(state) ?? state.params, batches, progress),
        )
        if (E.isLeft(evaluated)) {
          yield stopped('failed', evaluated.left)
          return
        }
        const evaluation = evaluated.right
        const better = evaluation.mean < best
        worse = better ? 0 : worse + 1
        if (better) best = evaluation.mean
        yield { _tag: 'Validated', state, ...evaluation, best: better, worse }
      }
      await breathe()
    }
  } finally {
    await batches.return(undefined)
    if (!handedOver) disposeState(state)
    await next.dispose()
  }
}
