/**
 * From a checkpoint's plain arrays to the tensors of a flow, every name and shape checked first.
 *
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Shape } from '../../types/shape.js'
import { type DiffeoError, shapeError, trainingError } from '../error.js'
import { hosted } from '../host.js'
import { leaves, mapLeaves, type Param, type Params, type Spec } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { product, sameShape, show } from '../tensor/shape.js'
import { type AnyTensor, trust } from '../tensor/tensor.js'
import { type Checkpoint, momentName } from './checkpoint.js'
import { fingerprint, isSameFlow } from './fingerprint.js'
import type { Optimiser } from './optimiser.js'
import { plainName, type RawTensor } from './safetensors.js'
import type { TrainState } from './state.js'

type Wanted = readonly (readonly [name: string, shape: Shape])[]
type Found = ReadonlyMap<string, RawTensor>

const wantedParams = (prefix: string, spec: Spec): Wanted =>
  leaves<Param>(spec).map(([path, { shape }]) => [`${prefix}/${path}`, shape])

const REBUILD = 'build the flow from the configuration in the checkpoint'

/** What older versions did not write, because it was always so: batch norms that have started. */
const MISSING = /^(?:params|best)\/(?:.*[./])?batchNorm\/started$/

const completed = (wanted: Wanted, found: Found): Found =>
  new Map([
    ...found,
    ...wanted.flatMap(([name, shape]) =>
      found.has(name) || !MISSING.test(name)
        ? []
        : [[name, { shape, data: new Float32Array(product(shape)).fill(1) }] as const],
    ),
  ])

/** The named tensors, if they are there, of those shapes, and no others beside them. */
const pick =
  (path: string, wanted: Wanted) =>
  (tensors: Found): E.Either<DiffeoError, Found> => {
    const found = completed(wanted, tensors)
    for (const [name, shape] of wanted) {
      const raw = found.get(name)
      const expected = `${name} of shape ${show(shape)}`
      if (raw === undefined) return E.left(shapeError(path, expected, 'no such tensor', REBUILD))
      if (!sameShape(raw.shape, shape)) return E.left(shapeError(path, expected, show(raw.shape), REBUILD))
    }
    if (found.size === wanted.length) return E.right(found)
    const names = new Set(wanted.map(([name]) => name))
    const extra = [...found.keys()].find((name) => !names.has(name)) ?? ''
    const got = `also ${plainName(extra)} of shape ${show(found.get(extra)?.shape ?? [])}`
    return E.left(shapeError(path, `only the ${wanted.length} tensors of the flow`, got, REBUILD))
  }

const only = (prefix: string, tensors: Found): Found =>
  new Map([...tensors].filter(([name]) => name.startsWith(prefix)))
const without = (prefix: string, tensors: Found): Found =>
  new Map([...tensors].filter(([name]) => !name.startsWith(prefix)))

const toTensor = (tensors: Found, name: string): tf.Tensor => {
  const { shape, data } = tensors.get(name)!
  // A copy, because some engines keep the array itself.
  return hosted(data.slice(), shape)
}

const toParams = (spec: Spec, prefix: string, tensors: Found): Params =>
  mapLeaves<Param, AnyTensor>(spec, (_, path) => trust<Shape>(toTensor(tensors, `${prefix}/${path}`)))

/** How many lists of moments there are; a gap in their numbers shows later, as a tensor that is missing. */
const momentLists = (tensors: Found): number =>
  new Set([...tensors.keys()].flatMap((name) => /^moments\/([0-9]+)\//.exec(name)?.[1] ?? [])).size

/** A flow, or its spec alone: then only the names and shapes of the parameters are compared. */
type Target = Spec | { readonly spec: Spec; readonly init: (key: Key) => Params }

const isModel = (of: Target): of is Exclude<Target, Spec> => typeof of['init'] === 'function'

const specOf = (of: Target): Spec => (isModel(of) ? of.spec : of)

/** Refuses a flow whose parameters have the same names and shapes, but which computes other numbers. */
const unchanged = (of: Target, { path, flow }: Checkpoint<unknown>): E.Either<DiffeoError, unknown> =>
  flow === undefined || isSameFlow(flow, fingerprint(of))
    ? E.right(undefined)
    : E.left(
        trainingError(
          path,
          'the model that was trained',
          'one that changed since, though its parameters fit',
          'undo the change, or train anew',
        ),
      )

/**
 * The state of a checkpoint as tensors of their own, the caller's to free. Every tensor has to be there with the shape
 * that the flow says, and no other; on a refusal none is made. A flow that computes other numbers than the one that was
 * trained is refused; give its spec alone to pass over that. Batch norms of older versions, which did not say whether
 * they had started, have.
 *
 * @param optimiser if given, refuses the moments of an optimiser with another number of lists: as many as its `init`
 *   returns for no parameters.
 * @returns left: a shape error with the tensor's name and both shapes; a training error for another optimiser or a flow that
 *   changed.
 * @example pipe(saved, restore(moons, adam()))
 */
export const restore =
  (of: Target, optimiser?: Optimiser) =>
  (saved: Checkpoint<unknown>): E.Either<DiffeoError, TrainState> => {
    const { path, step, best, lossScale, tensors } = saved
    const spec = specOf(of)
    const trained = leaves<Param>(spec).filter(([, { role }]) => role !== 'statistic')
    const own = optimiser?.init([]).length
    // Without trained parameters the file has no trace of the lists; more than it has tensors for are not worth naming.
    const most = Math.ceil(tensors.size / trained.length)
    const lists = trained.length === 0 ? (own ?? 0) : Math.min(momentLists(tensors), most)
    if (own !== undefined && lists !== own)
      return E.left(trainingError(path, `${own} lists of moments`, `${lists}`, 'choose the optimiser of that run'))
    const each = Array.from({ length: lists }, (_, i) => i)
    return pipe(
      // Left in if nothing speaks of them, so that they are refused.
      best === undefined ? tensors : without('best/', tensors),
      pick(path, [
        ...wantedParams('params', spec),
        ...each.flatMap((i) => trained.map(([at, { shape }]) => [momentName(i, at), shape] as const)),
      ]),
      E.tap(() => unchanged(of, saved)),
      E.map((all) => ({
        step,
        ...(lossScale && { lossScale }),
        params: toParams(spec, 'params', all),
        moments: each.map((i) => trained.map(([at]) => toTensor(all, momentName(i, at)))),
      })),
    )
  }

/**
 * The best parameters of a checkpoint as tensors of their own, the caller's to free; `undefined` if it has none.
 *
 * @returns left: a shape error with the tensor's name and both shapes; a training error for a flow that changed.
 * @example pipe(saved, restoreBest(moons))
 */
export const restoreBest =
  (of: Target): ((saved: Checkpoint<unknown>) => E.Either<DiffeoError, Params | undefined>) =>
  (saved) => {
    const { path, best, tensors } = saved
    const spec = specOf(of)
    const own = only('best/', tensors)
    return best === undefined || own.size === 0
      ? E.right(undefined)
      : pipe(
          own,
          pick(path, wantedParams('best', spec)),
          E.tap(() => unchanged(of, saved)),
          E.map((all) => toParams(spec, 'best', all)),
        )
  }
