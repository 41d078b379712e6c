/**
 * Training data of every kind as batches: pure functions of a step, so that runs resume.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../types/shape.js'
import { evaluationBatches, evaluationPairs, trainBatches, trainPairs } from '../data/batches.js'
import { type ImageSet, type ImageShape, subset } from '../data/image-set.js'
import { batchIndices, holdOut, stepsPerEpoch } from '../data/split.js'
import { type DiffeoError, DiffeoException, orThrow, usageError } from '../error.js'
import { foldIn, type Key } from '../tensor/random.js'
import { product, sameShape, show } from '../tensor/shape.js'
import { type AnyTensor, trust } from '../tensor/tensor.js'
import type { MaybeLater } from '../train/ahead.js'
import type { Batches } from '../train/evaluate.js'
import type { AnyNoisyObjective, Objective } from '../train/objective.js'
import type { Variational } from '../train/variational.js'
import { numbersIn, type Rows, readRows } from './rows.js'

/** A source of endless data: `n` examples that depend on the key alone. */
export interface Sampler<X> {
  readonly sample: (key: Key, n: number) => X
}
/** Examples, and the context of each. */
export interface Pairs<A extends Shape, C extends Shape> {
  readonly x: Rows<A>
  readonly given: Rows<C>
}

/** Finite data by index. `at` returns the examples at indices, with noise that depends on the key alone. */
export interface Indexed<X> {
  readonly count: number
  readonly at: (indices: Uint32Array, key: Key) => X
}

/** Training batches and what is held out to validate with. */
export interface Batched {
  readonly batch: (step: number) => MaybeLater<unknown>
  readonly validation?: Batches<unknown>
  /** Steps of an epoch; undefined for endless data. */
  readonly perEpoch?: number
  /** What is trained, if it is not the likelihood of the flow. */
  readonly objective?: Objective<never>
}

interface Parts {
  readonly shape: Shape
  readonly context: Shape | undefined
}
interface BatchOptions {
  readonly key: Key
  readonly size: number
  /** The share that is held out. */
  readonly validation: number
}

const EVALUATION_BATCH = 1000
const IMAGE_BATCH = 100

const tensorOf = (data: Float32Array, count: number, shape: Shape): AnyTensor =>
  trust(tf.tensor(data, [count, ...shape]))

/** Rows, or pairs of rows, as a batch. */
const batchFrom = ({ shape, context }: Parts, rows: unknown): unknown => {
  const numbers = (of: Shape, list: unknown): AnyTensor => {
    const { data, count } = numbersIn('train', of, list as ArrayLike<number>)
    return tensorOf(data, count, of)
  }
  if (context === undefined) return numbers(shape, rows)
  const { x, given } = rows as Pairs<Shape, Shape>
  return { x: numbers(shape, x), given: numbers(context, given) }
}

const ofSampler = (parts: Parts, { sample }: Sampler<unknown>, { key, size, validation }: BatchOptions): Batched => {
  const draw = (k: Key, n: number): unknown => batchFrom(parts, sample(k, n))
  const held = foldIn(key, 1)
  return {
    batch: (step) => draw(foldIn(foldIn(key, 0), step), size),
    ...(validation > 0 && { validation: { count: 1, at: () => draw(held, EVALUATION_BATCH) } }),
  }
}

/** The rows of the given indices. */
const picked = (all: Float32Array, size: number, indices: Uint32Array): Float32Array => {
  const some = new Float32Array(indices.length * size)
  indices.forEach((index, i) => {
    some.set(all.subarray(index * size, (index + 1) * size), i * size)
  })
  return some
}

const ofRows = ({ shape, context }: Parts, data: unknown, { key, size, validation }: BatchOptions): Batched => {
  const { x, given } = (context === undefined ? { x: data } : data) as { readonly x: unknown; readonly given?: unknown }
  const events = numbersIn('train', shape, x as ArrayLike<number>)
  const contexts = context && numbersIn('train given', context, given as ArrayLike<number>)
  const { count } = events
  if (count === 0) throw new DiffeoException(usageError('train', 'at least one example', 'none'))
  if (contexts !== undefined && contexts.count !== count)
    throw new DiffeoException(usageError('train', `${count} contexts, one for each example`, `${contexts.count}`))
  const batchAt = (indices: Uint32Array): unknown => {
    const x = tensorOf(picked(events.data, product(shape), indices), indices.length, shape)
    if (contexts === undefined) return x
    return { x, given: tensorOf(picked(contexts.data, product(context!), indices), indices.length, context!) }
  }
  const held = Math.min(count - 1, Math.round(count * validation))
  const all = Uint32Array.from({ length: count }, (_, i) => i)
  const { train, validation: heldOut } =
    held === 0 ? { train: all, validation: new Uint32Array() } : orThrow(holdOut(foldIn(key, 1), held, count))
  const order = orThrow(batchIndices(foldIn(key, 0), Math.min(size, train.length), train.length))
  return {
    batch: (step) => batchAt(order(step).map((i) => train[i]!)),
    perEpoch: Math.max(1, stepsPerEpoch(size, train.length)),
    ...(held > 0 && {
      validation: {
        count: Math.ceil(held / EVALUATION_BATCH),
        at: (i) => batchAt(heldOut.subarray(i * EVALUATION_BATCH, (i + 1) * EVALUATION_BATCH)),
      },
    }),
  }
}

const ofIndexed = (parts: Parts, { count, at }: Indexed<unknown>, { key, size, validation }: BatchOptions): Batched => {
  const held = Math.min(count - 1, Math.round(count * validation))
  const all = Uint32Array.from({ length: count }, (_, i) => i)
  const { train, validation: heldOut } =
    held === 0 ? { train: all, validation: new Uint32Array() } : orThrow(holdOut(foldIn(key, 1), held, count))
  const order = orThrow(batchIndices(foldIn(key, 0), Math.min(size, train.length), train.length))
  const batchAt = (indices: Uint32Array, noise: Key): unknown => batchFrom(parts, at(indices, noise))
  return {
    batch: (step) =>
      batchAt(
        order(step).map((i) => train[i]!),
        foldIn(foldIn(key, 2), step),
      ),
    perEpoch: Math.max(1, stepsPerEpoch(size, train.length)),
    ...(held > 0 && {
      validation: {
        count: Math.ceil(held / EVALUATION_BATCH),
        at: (i) =>
          batchAt(heldOut.subarray(i * EVALUATION_BATCH, (i + 1) * EVALUATION_BATCH), foldIn(foldIn(key, 3), i)),
      },
    }),
  }
}

const ofImages = ({ shape, context }: Parts, set: ImageSet, { key, size, validation }: BatchOptions): Batched => {
  if (context !== undefined && context.length !== 1)
    throw new DiffeoException(usageError('train', 'a context of one number for each class of images', show(context)))
  if (!sameShape(set.shape, shape))
    throw new DiffeoException(usageError('train', `images of ${show(shape)}`, `images of ${show(set.shape)}`))
  const [classes] = context ?? []
  const train = (of: ImageSet, k: Key, n: number): E.Either<DiffeoError, Batched['batch']> =>
    classes === undefined ? trainBatches(of, k, n) : trainPairs(of, classes, k, n)
  const evaluation = (of: ImageSet, k: Key, n: number): E.Either<DiffeoError, Batches<unknown>> =>
    classes === undefined ? evaluationBatches(of, k, n) : evaluationPairs(of, classes, k, n)
  const held = Math.min(set.count - 1, Math.round(set.count * validation))
  const parts = held === 0 ? undefined : orThrow(holdOut(foldIn(key, 1), held, set.count))
  const trained = parts === undefined ? set : subset(parts.train)(set)
  return {
    batch: orThrow(train(trained, foldIn(key, 0), Math.min(size, trained.count))),
    perEpoch: Math.max(1, stepsPerEpoch(size, trained.count)),
    ...(parts && {
      validation: orThrow(evaluation(subset(parts.validation)(set), foldIn(key, 2), IMAGE_BATCH)),
    }),
  }
}

const has = <K extends string>(data: unknown, name: K): data is Record<K, unknown> =>
  typeof data === 'object' && data !== null && name in data

const isObjective = (data: unknown): data is Variational => has(data, 'draw') && has(data, 'loss')

/** An objective makes its batches itself. */
const ofObjective = (objective: Variational, { key, size, validation }: BatchOptions): Batched => ({
  objective,
  batch: (step) => objective.draw(foldIn(foldIn(key, 0), step), size),
  ...(validation > 0 && { validation: { count: 1, at: () => objective.draw(foldIn(key, 1), EVALUATION_BATCH) } }),
})

/** Batches of data for an objective that adds noise to them. */
export const withNoise = (objective: AnyNoisyObjective, of: Batched, key: Key): Batched => {
  if (of.objective !== undefined)
    throw new DiffeoException(usageError('train', 'data for the objective', 'another objective'))
  const { validation } = of
  const noised = async (k: Key, data: MaybeLater<unknown>): Promise<unknown> => objective.noised(k, await data)
  return {
    ...of,
    objective,
    batch: (step) => noised(foldIn(foldIn(key, 0), step), of.batch(step)),
    ...(validation && {
      validation: { count: validation.count, at: (i) => noised(foldIn(foldIn(key, 1), i), validation.at(i)) },
    }),
  }
}

/** The batches of whatever data `train` takes. */
export const batchesOf = async (parts: Parts, given: unknown, options: BatchOptions): Promise<Batched> => {
  const isPairs = has(given, 'x') && has(given, 'given')
  const data = isPairs ? { x: await readRows(given.x), given: await readRows(given.given) } : await readRows(given)
  if (isObjective(data)) return ofObjective(data, options)
  if (has(data, 'sample')) return ofSampler(parts, data as Sampler<unknown>, options)
  if (has(data, 'at') && has(data, 'count')) return ofIndexed(parts, data as Indexed<unknown>, options)
  if (has(data, 'read') && has(data, 'count')) return ofImages(parts, data as ImageSet<ImageShape>, options)
  if (parts.context === undefined ? has(data, 'length') : isPairs) return ofRows(parts, data, options)
  const expected =
    parts.context === undefined ? 'rows of numbers, a sampler or images' : 'pairs { x, given } or a sampler'
  throw new DiffeoException(usageError('train', expected, data === undefined ? 'none' : typeof data))
}
