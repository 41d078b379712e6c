/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A `Model` is a flow with its trained parameters: numbers in, numbers out. It frees its own intermediate tensors;
 * `dispose`, or `await using` at the end of a block, frees its parameters and compiled programs.
 *
 * @module
 */
import type { Latents, Shape, Show, ShowLatents } from '../../types/shape.js'
import { type CompiledFunctions, compiled } from '../distribution/compiled.js'
import type { AnyConditionalFlow, AnyFlow, ConditionalFlow, Flow } from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { shown } from '../tensor/numbers.js'
import { disposeParams, type Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { latentList } from '../tensor/shape.js'
import { type AnyTensor, latentBatch, latentTensors, unwrap } from '../tensor/tensor.js'
import { type Evaluation, summarise } from '../train/evaluate.js'
import { fingerprint, isSameFlow } from '../train/fingerprint.js'
import { disposeState, type TrainState } from '../train/state.js'
import { type Numbers, numbersOf, type Rows, taken, withBatch } from './rows.js'

/** A figure of training, at a step. */
export interface HistoryEntry {
  readonly step: number
  /** The mean loss of a validation, in nats for a likelihood; the loss of the step, if there is no validation. */
  readonly loss: number
}

export interface SampleOptions {
  readonly key: Key
  /** Below 1, draws are nearer to the mode. Default: 1 */
  readonly temperature?: number
}

/** What a model computes; log-probabilities are in nats. */
export interface ModelFunctions<A extends Shape> {
  /** log p(x) of each example, in nats: −∞ outside the support. */
  readonly logProb: (x: Rows<A>) => Promise<Float32Array>
  /** −log p(x)/(D log 2) of each example. */
  readonly bitsPerDim: (x: Rows<A>) => Promise<Float32Array>
  /** `n` draws. */
  readonly sample: (n: number, options: SampleOptions) => Promise<Numbers<A>>
  /** The latents of each example, one list of numbers for each latent, and the log-dets in nats. */
  readonly transform: (x: Rows<A>) => Promise<{ readonly latents: readonly Numbers[]; readonly logDet: Float32Array }>
  /** The examples of latents: those of `transform`, in the same order. */
  readonly inverse: (latents: readonly Rows<Shape>[]) => Promise<Numbers<A>>
  /** Mean, worst and each example's bits/dim, and the mean in nats. */
  readonly evaluate: (x: Rows<A>) => Promise<Evaluation>
}

/** The result of a training. */
export interface Trained {
  /** The parameters of the best validation; the last ones, if there was none. Averaged over the last steps. */
  readonly params: Params
  /** The state from which training continues: `train(density, data, { from: model.state })`. */
  readonly state: TrainState
  readonly history: readonly HistoryEntry[]
  /** The validation whose parameters these are, if there was one. */
  readonly best?: HistoryEntry
}

declare const ends: unique symbol
/** A state of training that carries the shapes of its flow, from events `A` to latents `B`, in its type. */
export interface StateOf<A extends Shape, B extends Latents> extends TrainState {
  readonly [ends]?: readonly [events: A, latents: B]
}
/** `unknown` if training of the flow `L` can resume from the state `S`, else the sentence. */
export type Resumes<L, S> = S extends { readonly [ends]?: readonly [infer A, infer B] }
  ? L extends { readonly bijector: { readonly domain: infer D; readonly codomain: infer E } }
    ? [A, B] extends [D, E]
      ? unknown
      : `train: expected a state of a flow from ${Show<D>} to ${ShowLatents<E>}, got one from ${Show<A>} to ${ShowLatents<B>}`
    : unknown
  : unknown

/** The flow that each state of a model was trained for. */
const flows = new WeakMap<TrainState, object>()

/**
 * Refuses a state of a model of another flow, even if the names and shapes of the parameters are the same.
 *
 * @throws DiffeoException
 */
export const refuseOtherFlow = (density: object, state: TrainState): void => {
  const origin = flows.get(state)
  if (origin === undefined || origin === density || isSameFlow(fingerprint(origin), fingerprint(density))) return
  throw new DiffeoException(
    usageError(
      'train',
      'a state of this flow',
      'one of another flow with equal shapes',
      'pass the flow that was trained',
    ),
  )
}

/** The fields of a model besides its functions. */
export interface ModelState extends Trained {
  /** Frees the parameters, the state and what was compiled. */
  readonly dispose: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** A model that can be saved to a file. */
export interface Saveable {
  /**
   * Writes the model as a safetensors file, which `load` reads; a file of that name is replaced atomically.
   *
   * @throws DiffeoException (as a rejection) if the file cannot be written
   */
  readonly save: (path: string) => Promise<void>
}

/** A trained flow. */
export interface Model<A extends Shape, B extends Latents> extends ModelFunctions<A>, ModelState {
  readonly density: Flow<A, B>
  readonly state: StateOf<A, B>
}

/** A trained conditional flow. */
export interface ConditionalModel<A extends Shape, C extends Shape, B extends Latents> extends ModelState {
  readonly density: ConditionalFlow<A, C, B>
  readonly state: StateOf<A, B>
  /** The model at contexts: one for all examples, or one for each. */
  readonly given: (context: Rows<C>) => ModelFunctions<A>
}

/** The model of a flow, conditional if the flow is. */
export type ModelOf<L> =
  L extends ConditionalFlow<infer A, infer C, infer B>
    ? ConditionalModel<A, C, B>
    : L extends Flow<infer A, infer B>
      ? Model<A, B>
      : never

/** Options with a key, which plain JavaScript may omit. */
export const withKey = <O extends { readonly key: Key }>(op: string, options: O | undefined): O => {
  if (Array.isArray(options?.key) && options.key.length === 2) return options
  throw new DiffeoException(usageError(op, 'a key', shown(options?.key), `pass one: { key: key(0) }`))
}

const functionsOf = (
  { domain, codomain }: { readonly domain: Shape; readonly codomain: Latents },
  params: Params,
  /** Runs `f` on the compiled functions, at a context if there is one. */
  withFunctions: <R>(f: (functions: CompiledFunctions<Shape, Latents>) => Promise<R>) => Promise<R>,
): ModelFunctions<Shape> => {
  const figures =
    (name: 'logProb' | 'bitsPerDim') =>
    (x: Rows<Shape>): Promise<Float32Array> =>
      withBatch(name, domain, x, (batch) => withFunctions(async (f) => taken(await f[name](params)(batch))))
  const bitsPerDim = figures('bitsPerDim')
  return {
    logProb: figures('logProb'),
    bitsPerDim,
    sample: (n, options) => {
      const { key, temperature } = withKey('sample', options)
      return withFunctions(async (f) => numbersOf((await f.sample(params)(key, n, temperature)) as AnyTensor))
    },
    transform: (x) =>
      withBatch('transform', domain, x, (batch) =>
        withFunctions(async (f) => {
          const [z, logDet] = await f.forward(params)(batch)
          return { latents: await Promise.all(latentTensors(z).map((t) => numbersOf(t))), logDet: await taken(logDet) }
        }),
      ),
    inverse: async (latents) => {
      const shapes = latentList(codomain)
      if (!Array.isArray(latents) || latents.length !== shapes.length)
        throw new DiffeoException(
          usageError('inverse', `a list of ${shapes.length} latents`, `${latents?.length}`, "pass transform's latents"),
        )
      return withBatches(shapes, latents, (z) =>
        withFunctions(async (f) => {
          const [x, logDet] = await f.inverse(params)(latentBatch(codomain, z))
          unwrap(logDet).dispose()
          return numbersOf(x as AnyTensor)
        }),
      )
    },
    evaluate: async (x) =>
      summarise(
        await bitsPerDim(x),
        domain.reduce((a, b) => a * b, 1),
      ),
  }
}

/** {@link withBatch} for one batch of each shape. */
const withBatches = <R>(
  [shape, ...shapes]: readonly Shape[],
  [first = [], ...rows]: readonly Rows<Shape>[],
  f: (batches: readonly AnyTensor[]) => Promise<R>,
): Promise<R> =>
  shape === undefined
    ? f([])
    : withBatch('inverse', shape, first, (batch) => withBatches(shapes, rows, (others) => f([batch, ...others])))

/** A model of a flow: it owns the parameters and the state. */
export const modelOf = <L extends AnyFlow | AnyConditionalFlow>(density: L, trained: Trained): ModelOf<L> => {
  const { params, state } = trained
  flows.set(state, density)
  const of = density as Flow<Shape, Latents> | ConditionalFlow<Shape, Shape, Latents>
  const functions = 'given' in of ? compiled(of) : compiled(of)
  const dispose = async (): Promise<void> => {
    await functions.dispose()
    disposeState(state)
    disposeParams(params)
  }
  const common: ModelState & { readonly density: L } = { ...trained, density, dispose, [Symbol.asyncDispose]: dispose }
  const model =
    'given' in functions
      ? {
          ...common,
          given: (context: Rows<Shape>) =>
            functionsOf(of.bijector, params, (f) =>
              withBatch('given', (of as AnyConditionalFlow).bijector.context, context, (c) => f(functions.given(c))),
            ),
        }
      : { ...common, ...functionsOf(of.bijector, params, (f) => f(functions)) }
  // conditional exactly where `L` is
  return model as object as ModelOf<L>
}
