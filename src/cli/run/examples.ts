/**
 * The examples of a data set by its name: batches for training, and those to evaluate on. Images are measured in bits
 * per dimension, points of the plane in nats.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Shape } from '../../../types/shape.js'
import { evaluationBatches, trainBatches } from '../../data/batches.js'
import { type Data, type DataName, dataSets, loadData } from '../../data/catalog.js'
import { type ImageSet, subset } from '../../data/image-set.js'
import { type PlaneName, planes } from '../../data/planes.js'
import type { Toy } from '../../data/toys.js'
import { type DiffeoError, orThrow, usageError } from '../../error.js'
import { foldIn, type Key, key, permutation } from '../../tensor/random.js'
import { type BatchOf, batch, unwrap } from '../../tensor/tensor.js'
import type { MaybeLater } from '../../train/ahead.js'
import type { Batches } from '../../train/evaluate.js'
import type { Contents, DataConfig, Recipe } from './config.js'

/** The unit of a figure, what has such a figure, and the figure from −log p(x)/(D log 2). */
interface Unit {
  readonly name: 'bits/dim' | 'nats'
  readonly things: 'images' | 'points'
  readonly of: (bitsPerDim: number) => number
}

export const unitOf = (shape: readonly number[]): Unit =>
  shape.length === 3
    ? { name: 'bits/dim', things: 'images', of: (bits) => bits }
    : { name: 'nats', things: 'points', of: (bits) => bits * shape.reduce((a, b) => a * b, 1) * Math.LN2 }

/** The data of a run. */
export interface Examples {
  readonly batch: (step: number) => MaybeLater<Shape>
  readonly validation: Batches<Shape>
  readonly test: Batches<Shape>
  /**
   * Those held out for validation, or without any those to test, in whole batches of `size`: the noise of a batch's
   * statistics goes as one over that.
   */
  readonly large: Batches<Shape> & { readonly size: number }
  /** The training examples, of a run on a few of them. */
  readonly limited?: Batches<Shape>
  /** The least mean that a model can reach, in nats, where it is known. */
  readonly floor?: () => number
}

/** The numbers of the first training batch: for points of the plane, what to show of it. */
export const firstBatch = async ({ batch }: Pick<Examples, 'batch'>): Promise<Float32Array> => {
  const x = unwrap(await batch(0))
  const numbers = await x.data<'float32'>()
  x.dispose()
  return numbers
}

/** A data set, before it is known how it is trained on. */
export interface DataSet {
  readonly shape: Shape
  /** What there is, in one line. */
  readonly summary: string
  /** What its files hold; nothing of what is drawn from a density. */
  readonly contents?: Contents
  /** All images that lie in files; none of what is drawn from a density. */
  readonly files: readonly ImageSet[]
  readonly examples: (recipe: Recipe) => E.Either<DiffeoError, Examples>
}

/** How many examples are evaluated at once: memory, not results. */
const EVALUATION_BATCH = { image: 50, point: 1000 }
/** How many images together have statistics with little noise of their own. */
const LARGE_BATCH = 200
const TEST_POINTS = 10_000

/** What a run's seed is used for: keys that share nothing. */
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

const images = ({ train, validation, test, flips, summary, digest }: Data): DataSet => ({
  shape: train.shape,
  summary,
  contents: { train: train.count, validation: validation.count, test: test.count, digest },
  files: [train, validation, test],
  examples: ({ seed, batch, limit }): E.Either<DiffeoError, Examples> => {
    const keys = keysOf(seed)
    const [heldOut, heldOutKey] = validation.count > 0 ? [validation, keys.validation] : [test, keys.test]
    // a shape that is known at run time alone is, for the invariant type, another one
    const all = (set: ImageSet, key: Key, size = EVALUATION_BATCH.image) =>
      evaluationBatches(set, key, size) as E.Either<DiffeoError, never>
    const size = Math.min(LARGE_BATCH, heldOut.count)
    return pipe(
      limit !== undefined && limit > train.count
        ? E.left(usageError('--limit', `1 to ${train.count}, the number of training images`, `${limit}`))
        : E.right(limit === undefined ? train : subset(permutation(keys.limit, train.count).slice(0, limit))(train)),
      E.bindTo('trained'),
      E.bind('batch', ({ trained }) =>
        batch > trained.count
          ? E.left(
              usageError(
                '--batch',
                `a batch size from 1 to ${trained.count}, the number of training images`,
                `${batch}`,
              ),
            )
          : trainBatches(trained, keys.batches, batch, { flips }),
      ),
      E.bind('validation', () => all(validation, keys.validation)),
      E.bind('large', (): E.Either<DiffeoError, Batches<Shape>> => all(heldOut, heldOutKey, size)),
      E.bind('test', () => all(test, keys.test)),
      E.bind('limited', ({ trained }) => all(trained, keys.limit)),
      E.map(({ batch, validation: chosenBy, large, test, limited }) => ({
        batch: batch as never,
        validation: chosenBy,
        large: { ...large, count: Math.floor(heldOut.count / size), size },
        test,
        ...(limit === undefined ? {} : { limited }),
      })),
    )
  },
})

const plane = (toy: Toy): DataSet => ({
  shape: [2],
  files: [],
  // the entropy may take a second, and is asked for by few
  get summary() {
    return `${toy.name}: as many points of the plane as are asked for, ${toy.entropy().toFixed(4)} nats of entropy`
  },
  examples: ({ seed, validation, batch: size, limit }) => {
    if (limit !== undefined)
      return E.left(usageError('--limit', 'a data set of images', toy.name, 'leave it out: points do not run out'))
    const keys = keysOf(seed)
    const draw = (k: Key, n: number): BatchOf<Shape> => orThrow(batch<Shape>([2], toy.sample(k, n)))
    const per = EVALUATION_BATCH.point
    const fixed = (k: Key, n: number): Batches<Shape> => ({
      count: Math.ceil(n / per),
      at: (i) => draw(foldIn(k, i), Math.min(per, n - i * per)),
    })
    return E.right({
      batch: (step: number) => draw(foldIn(keys.batches, step), size),
      validation: fixed(keys.validation, validation),
      large: {
        ...(validation === 0
          ? fixed(keys.test, TEST_POINTS)
          : fixed(keys.validation, per * Math.ceil(validation / per))),
        size: per,
      },
      test: fixed(keys.test, TEST_POINTS),
      floor: toy.entropy,
    })
  },
})

/** The names that `train` takes. */
export const dataNames: readonly string[] = [...Object.keys(dataSets), ...Object.keys(planes)]

const isPlane = (name: string): name is PlaneName => Object.hasOwn(planes, name)
const isImageSet = (name: string): name is DataName => Object.hasOwn(dataSets, name)

/** What decides how a data set is split. */
export interface Sharing extends Pick<Recipe, 'seed'> {
  /** How many examples are held out for validation; default: a tenth of the images, at most 512. */
  readonly validation?: number
}

/** The flags that set what `loadData` refuses. */
const FLAGS: Readonly<Partial<Record<string, string>>> = { size: '--size', validation: '--validation' }

/** The data of that name. What their authors did not share out is, by the seed of the run. */
export const loadDataSet = (
  { name, folder, size }: DataConfig,
  { seed, validation }: Sharing,
): TE.TaskEither<DiffeoError, DataSet> => {
  const where = { ...(folder === undefined ? {} : { folder }), ...(size === undefined ? {} : { size }) }
  const [needless] = Object.keys(where)
  if (isPlane(name) && needless !== undefined)
    return TE.left(usageError(needless === 'size' ? '--size' : '--data', 'a data set of images', name, 'leave it out'))
  return isPlane(name)
    ? TE.right(plane(planes[name]))
    : isImageSet(name)
      ? pipe(
          loadData({ name, seed, ...(validation === undefined ? {} : { validation }), ...where }),
          TE.mapBoth((error) => ({ ...error, op: FLAGS[error.op] ?? error.op }), images),
        )
      : TE.left(usageError('data', `one of ${dataNames.join(', ')}`, `'${name}'`))
}
