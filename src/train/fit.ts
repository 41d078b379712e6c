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
import { type AnyTensor, type BatchOf, refuseFreed, unwrap } from '../tensor/tensor.js'
import { ahead, breathe, type MaybeLater, notFiniteIn } from './ahead.js'
import { type Batches, type Evaluation, type EvaluationProgress, evaluate, trainingBits } from './evaluate.js'
import { copyState, disposeState, type TrainState, tensorsOf } from './state.js'
import { type StepMetrics, type StepOptions, step } from './step.js'

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

/**
 * Training ended. `state` is the last one whose loss was finite, and the caller's to free. Where a loss or a validation
 * was not finite, the newest state counts if its loss on the batch before is finite; otherwise the state before it.
 */
export interface Stopped {
  readonly _tag: 'Stopped'
  readonly reason: 'steps' | 'time' | 'patience' | 'aborted' | 'notFinite' | 'failed'
  readonly state: TrainState
  /**
   * Why, if it was not meant to end: `notFinite` because a loss, a gradient or a validation was not; `failed` because a
   * batch, a step or a validation could not be made.
   */
  readonly error?: DiffeoError
}

export type FitEvent = Compiling | Compiled | Stepped | Validated | Stopped

export interface FitOptions<A extends Shape> extends StepOptions {
  /**
   * The batch of a step, counted from 0: a pure function, so that runs can be resumed. The next is begun one step early.
   * A tensor that the call makes is freed after use, unless the next call returns it too; one that was there before stays
   * the caller's.
   */
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

/** What to do about a batch that was freed before its step. */
const FRESH =
  'return a new tensor from each call of batch, or one that was made before fit began and lives until it ends'

/**
 * What to do about numbers that ran away: from the last good state the same step comes to the same.
 *
 * @internal
 */
export const EARLIER = 'go on from an earlier state, with a lower learning rate or gradient clip'

/** Why a step had no finite loss or gradient: its batch, or the numbers that ran away. */
const whyNotFinite = async (at: string, x: AnyTensor, { bitsPerDim }: StepMetrics): Promise<DiffeoError> => {
  const bad = await notFiniteIn(x)
  return bad === undefined
    ? trainingError(
        `fit ${at}`,
        `a finite ${Number.isFinite(bitsPerDim) ? 'gradient' : 'loss'}`,
        'one that is not',
        at.endsWith(' 1') ? `check that the data lie in the flow's domain, or ${EARLIER}` : EARLIER,
      )
    : trainingError(`fit ${at}`, 'a batch of finite numbers', bad, 'mend the data, or what makes batches of them')
}

const hasFiniteLoss = async <A extends Shape, B extends Latents>(
  flow: Flow<A, B>,
  { params }: TrainState,
  x: BatchOf<A>,
): Promise<boolean> => {
  const run = trainingBits(flow)
  try {
    const bits = unwrap(await run(params, x))
    const all = await bits.data()
    bits.dispose()
    return all.every(Number.isFinite)
  } finally {
    await run.dispose()
  }
}

/** Why the figure of a validation is not finite: its data, or the parameters. */
const whyNotValid = async <A extends Shape>(
  when: string,
  batches: Batches<A>,
  { count, notFinite, each }: Evaluation,
): Promise<DiffeoError> => {
  const op = `fit ${when}`
  if (count === 0) return trainingError(op, 'a validation of at least one example', 'none')
  let index = 0
  for await (const x of ahead(batches.at, 0, batches.count)) {
    const bad = await notFiniteIn(x as AnyTensor)
    const fix = 'fix the validation data'
    if (bad !== undefined) return trainingError(op, 'validation data of finite numbers', `${bad} (batch ${index})`, fix)
    index++
  }
  const first = each.findIndex((bits) => !Number.isFinite(bits))
  const got = `${notFinite} of ${count} examples without one, the first of them ${first}`
  return trainingError(op, 'a validation with finite figures', got, EARLIER)
}

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
  refuseFreed('fit', 'a state with its tensors', tensorsOf(from))
  let state = copyState(from)
  /** The one before `state`, and the batch of the step from one to the other: the loss of that was finite. */
  let before: TrainState | undefined
  let seen: BatchOf<A> | undefined
  let best = Number.isFinite(validation?.best) ? validation!.best! : Number.POSITIVE_INFINITY
  let worse = validation?.worse ?? 0
  const patience = validation?.patience ?? Number.POSITIVE_INFINITY
  let handedOver = false
  const stopped = (reason: Stopped['reason'], error?: DiffeoError): Stopped => {
    handedOver = true
    const final = { _tag: 'Stopped', reason, state } as const
    return error === undefined ? final : { ...final, error }
  }
  /** Goes back to the last state whose loss was finite: the newest, unless its loss on the batch before is not. */
  const goBack = async (): Promise<void> => {
    if (before === undefined || seen === undefined) return
    const measured = await made('at its end', 'a loss', () => hasFiniteLoss(flow, state, seen!))
    if (E.isLeft(measured) || measured.right) return
    disposeState(state)
    state = before
    before = undefined
  }
  const batches = ahead(batch, state.step, steps, 2)
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
        const { isDisposed } = unwrap(x.right.value as unknown as AnyTensor)
        yield stopped('failed', isDisposed ? { ...stepped.left, fix: FRESH } : stepped.left)
        return
      }
      const [after, metrics] = stepped.right
      if (!Number.isFinite(metrics.bitsPerDim) || !Number.isFinite(metrics.gradientNorm)) {
        disposeState(after)
        const why = await whyNotFinite(at, x.right.value as unknown as AnyTensor, metrics)
        await goBack()
        yield stopped('notFinite', why)
        return
      }
      if (before !== undefined) disposeState(before)
      before = state
      seen = x.right.value!
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
        const valid = Number.isFinite(evaluation.mean)
        const better = valid && evaluation.mean < best
        worse = better ? 0 : worse + 1
        if (better) best = evaluation.mean
        yield { _tag: 'Validated', state, ...evaluation, best: better, worse }
        if (!valid) {
          const why = await whyNotValid(`after step ${state.step}`, batches, evaluation)
          await goBack()
          yield stopped('notFinite', why)
          return
        }
      }
      await breathe()
    }
  } finally {
    await batches.return(undefined)
    if (before !== undefined) disposeState(before)
    if (!handedOver) disposeState(state)
    await next.dispose()
  }
}
