/**
 * The examples of a data set by its name: batches for training and for evaluation. The figures of images are in bits
 * per dimension, those of points of the plane in nats.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../../types/shape.js'
import { evaluationBatches, evaluationPairs, type Labelled, trainBatches, trainPairs } from '../../data/batches.js'
import { type Data, type DataName, dataSets, loadData } from '../../data/catalog.js'
import { type ImageSet, type ImageShape, subset } from '../../data/image-set.js'
import { type PlaneName, planes } from '../../data/planes.js'
import type { Toy } from '../../data/toys.js'
import { type DiffeoError, DiffeoException, orThrow, usageError } from '../../error.js'
import type { Table } from '../../table/table.js'
import type { View } from '../../table/view.js'
import { foldIn, type Key, key, permutation } from '../../tensor/random.js'
import { type BatchOf, batch, latentBatch, toArray } from '../../tensor/tensor.js'
import type { MaybeLater } from '../../train/ahead.js'
import type { Batches } from '../../train/evaluate.js'
import type { Contents, DataConfig, Recipe, RunConfig } from './config.js'
import { examplesIn, freeBatch, type RunBatch } from './given.js'

/** The unit of figures, the name of examples, and the conversion from −log p(x)/(D log 2). */
interface Unit {
  readonly name: 'bits/dim' | 'nats'
  readonly things: 'images' | 'points' | 'rows'
  readonly of: (bitsPerDim: number) => number
}

export const unitOf = ({ shape, table }: Pick<RunConfig, 'shape' | 'table'>): Unit =>
  shape.length === 3
    ? { name: 'bits/dim', things: 'images', of: (bits) => bits }
    : {
        name: 'nats',
        things: table === undefined ? 'points' : 'rows',
        of: (bits) => bits * shape.reduce((a, b) => a * b, 1) * Math.LN2,
      }

/** A table, what the flow sees of it, and the indices of the rows of each part. */
export interface TableParts {
  readonly of: Table
  readonly view: View
  readonly parts: { readonly train: Uint32Array; readonly validation: Uint32Array; readonly test: Uint32Array }
}

/** The data of a run. */
export interface Examples {
  readonly batch: (step: number) => MaybeLater<RunBatch>
  readonly validation: Batches<RunBatch>
  readonly test: Batches<RunBatch>
  /**
   * The validation examples, or without any the test examples, in whole batches of `size`: the noise of a batch's
   * statistics is proportional to 1/size.
   */
  readonly large: Batches<RunBatch> & { readonly size: number }
  /** The training examples of a run on a limited number of them. */
  readonly limited?: Batches<RunBatch>
  /** The class of each test example, of a conditional run. */
  readonly labels?: Uint8Array
  /** The table, and the rows of each part. */
  readonly table?: TableParts
  /** The lowest mean that a model can reach, in nats, where it is known. */
  readonly floor?: () => number
}

/** The values of the first training batch; of points of the plane, those that pictures show. */
export const firstBatch = async ({ batch }: Pick<Examples, 'batch'>): Promise<Float32Array> => {
  const first = await batch(0)
  return toArray(examplesIn(first)).finally(() => freeBatch(first))
}

/** A data set, before the recipe is known. */
export interface DataSet {
  readonly shape: Shape
  /** A description in one line. */
  readonly summary: string
  /** The contents of its files; undefined for a density. */
  readonly contents?: Contents
  /** All images in files; none for a density. */
  readonly files: readonly ImageSet[]
  /** The number of classes, if the examples have labels. */
  readonly classes?: number
  /** The columns of a table. */
  readonly table?: NonNullable<RunConfig['table']>
  /** What to know before training. */
  readonly warnings?: readonly string[]
  /** Throws a usage error where the recipe does not fit the data. With `given`, each example has its class. */
  readonly examples: (recipe: Recipe, given?: RunConfig['given']) => Examples
}

/** The number of examples that are evaluated at once. It bounds the memory and does not change the results. */
const EVALUATION_BATCH = { image: 50, point: 1000 }
/** A number of images whose batch statistics have little noise. */
const LARGE_BATCH = 200
const TEST_POINTS = 10_000

/** Independent keys for everything that a run's seed is used for. */
export const keysOf = (seed: number) => {
  const own = (use: number): Key => foldIn(key(seed), use)
  return {
    split: own(0),
    batches: own(1),
    validation: own(2),
    test: own(3),
    init: own(4),
    sample: own(5),
    limit: own(6),
  }
}

/** A batch of images as one of a shape that is known only at run time. */
const ofAnyShape = (set: ImageSet, batch: BatchOf<ImageShape> | Labelled<ImageShape>): RunBatch => {
  const own = (images: BatchOf<ImageShape>): BatchOf<Shape> => latentBatch<Shape>(set.shape, [images])
  return 'given' in batch ? { x: own(batch.x), given: latentBatch<Shape>(set.shape, [batch.given]) } : own(batch)
}

/** All images of a set, in batches of `size`. */
const allOf = (
  set: ImageSet,
  classes: number | undefined,
  key: Key,
  size = EVALUATION_BATCH.image,
): Batches<RunBatch> => {
  const { count, at } =
    classes === undefined
      ? orThrow(evaluationBatches(set, key, size))
      : orThrow(evaluationPairs(set, classes, key, size))
  return { count, at: async (index) => ofAnyShape(set, await at(index)) }
}

const images = ({ train, validation, test, flips, classes, summary, digest }: Data): DataSet => ({
  shape: train.shape,
  ...(classes !== undefined && { classes }),
  summary,
  contents: { train: train.count, validation: validation.count, test: test.count, digest },
  files: [train, validation, test],
  examples: ({ seed, batch: size, limit }, given) => {
    if (limit !== undefined && limit > train.count)
      throw new DiffeoException(usageError('--limit', `1 to ${train.count}, the number of training images`, `${limit}`))
    const keys = keysOf(seed)
    const trained = limit === undefined ? train : subset(permutation(keys.limit, train.count).slice(0, limit))(train)
    if (size > trained.count)
      throw new DiffeoException(
        usageError('--batch', `a batch size from 1 to ${trained.count}, the number of training images`, `${size}`),
      )
    const [heldOut, heldOutKey] = validation.count > 0 ? [validation, keys.validation] : [test, keys.test]
    const largeSize = Math.min(LARGE_BATCH, heldOut.count)
    const labels = given?.labels
    const all = (set: ImageSet, key: Key, size?: number) => allOf(set, labels, key, size)
    const next =
      labels === undefined
        ? orThrow(trainBatches(trained, keys.batches, size, { flips }))
        : orThrow(trainPairs(trained, labels, keys.batches, size, { flips }))
    return {
      batch: async (step) => ofAnyShape(train, await next(step)),
      validation: all(validation, keys.validation),
      large: {
        ...all(heldOut, heldOutKey, largeSize),
        count: Math.floor(heldOut.count / largeSize),
        size: largeSize,
      },
      test: all(test, keys.test),
      ...(labels !== undefined && test.labels !== undefined && { labels: test.labels }),
      ...(limit === undefined ? {} : { limited: all(trained, keys.limit) }),
    }
  },
})

const plane = (toy: Toy): DataSet => ({
  shape: [2],
  files: [],
  // the entropy may take a second, and few commands need it
  get summary() {
    return `${toy.name}: as many points of the plane as are asked for, ${toy.entropy().toFixed(4)} nats of entropy`
  },
  examples: ({ seed, validation, batch: size, limit }) => {
    if (limit !== undefined)
      throw new DiffeoException(
        usageError('--limit', 'a data set of images', toy.name, 'leave it out: the number of points is unlimited'),
      )
    const keys = keysOf(seed)
    const draw = (k: Key, n: number): BatchOf<Shape> => orThrow(batch<Shape>([2], toy.sample(k, n)))
    const per = EVALUATION_BATCH.point
    const fixed = (k: Key, n: number): Batches<BatchOf<Shape>> => ({
      count: Math.ceil(n / per),
      at: (i) => draw(foldIn(k, i), Math.min(per, n - i * per)),
    })
    return {
      batch: (step) => draw(foldIn(keys.batches, step), size),
      validation: fixed(keys.validation, validation),
      large: {
        ...(validation === 0
          ? fixed(keys.test, TEST_POINTS)
          : fixed(keys.validation, per * Math.ceil(validation / per))),
        size: per,
      },
      test: fixed(keys.test, TEST_POINTS),
      floor: toy.entropy,
    }
  },
})

/** The names of data sets and densities. */
export const dataNames: readonly string[] = [...Object.keys(dataSets), ...Object.keys(planes)]

/** The name of data in a table of the user's. */
export const TABLE = 'table'

const isPlane = (name: string): name is PlaneName => Object.hasOwn(planes, name)
const isImageSet = (name: string): name is DataName => Object.hasOwn(dataSets, name)

/** What decides the split of a data set. */
export interface Sharing extends Pick<Recipe, 'seed'> {
  /** The number of validation examples; default: a tenth of the images, at most 512. */
  readonly validation?: number
}

/** The flags that set what `loadData` refuses. */
const FLAGS: Readonly<Partial<Record<string, string>>> = { size: '--size', validation: '--validation' }

/**
 * The data of a name. What their authors did not split is split by the seed of the run.
 *
 * @throws DiffeoException if there is no such data set, or its files cannot be read
 */
export const loadDataSet = async (
  { name, folder, size }: DataConfig,
  { seed, validation }: Sharing,
): Promise<DataSet> => {
  const where = { ...(folder === undefined ? {} : { folder }), ...(size === undefined ? {} : { size }) }
  if (isPlane(name)) {
    const [needless] = Object.keys(where)
    if (needless !== undefined) {
      const flag = needless === 'size' ? '--size' : '--data'
      throw new DiffeoException(usageError(flag, 'a data set of images', name, 'leave it out'))
    }
    return plane(planes[name])
  }
  if (!isImageSet(name)) throw new DiffeoException(usageError('data', `one of ${dataNames.join(', ')}`, `'${name}'`))
  const loaded = await loadData({ name, seed, ...(validation === undefined ? {} : { validation }), ...where })()
  return images(orThrow(E.mapLeft((error: DiffeoError) => ({ ...error, op: FLAGS[error.op] ?? error.op }))(loaded)))
}
