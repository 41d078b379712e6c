/**
 * CIFAR-10: 50,000 + 10,000 colour images of ten classes, 32×32, from the official binary batches.
 *
 *   record:  1 byte label, 0 to 9; 1,024 bytes red, 1,024 green, 1,024 blue, each row by row
 *   batch:   10,000 records, 30,730,000 bytes
 *
 * Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009), and the data set's page.
 *
 * @module
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, fileError, formatError } from '../error.js'
import { fileFailure, readBytes } from '../file.js'
import type { ImageSet } from './image-set.js'
import { fileSize, recordSet, sha256 } from './records.js'

const RECORD = 3073
const BATCH = 10_000

const FIX = 'unpack cifar-10-binary.tar.gz from www.cs.toronto.edu/~kriz/cifar.html and name its folder'

// SHA-256 of the batches that were available when this was written.
const KNOWN: Readonly<Partial<Record<string, string>>> = {
  'data_batch_1.bin': 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
  'data_batch_5.bin': '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
}

const planarToLast = (image: Uint8Array): Uint8Array => image.map((_, i) => image[(i % 3) * 1024 + Math.floor(i / 3)]!)

interface Batch {
  readonly path: string
  readonly count: number
  readonly labels: Uint8Array
  readonly sum: string
  /** `undefined`: no checksum is known. */
  readonly official: boolean | undefined
}

/** Reads a batch once for its labels and its checksum, and keeps only those. */
const checkBatch = (folder: string, name: string): TE.TaskEither<DiffeoError, Batch> => {
  const path = join(folder, name)
  const refuse = (expected: string, got: string): TE.TaskEither<DiffeoError, never> =>
    TE.left(formatError(path, expected, got, FIX))
  return pipe(
    fileSize(path),
    TE.flatMap((size) =>
      size > 0 && size % RECORD === 0 && size <= BATCH * RECORD
        ? readBytes(path, BATCH * RECORD)
        : refuse(`1 to ${BATCH} records of ${RECORD} bytes`, `${size} bytes`),
    ),
    TE.flatMap((bytes) => {
      const labels = Uint8Array.from({ length: bytes.length / RECORD }, (_, i) => bytes[i * RECORD]!)
      const wrong = labels.findIndex((label) => label > 9)
      if (wrong >= 0) return refuse('labels from 0 to 9', `${labels[wrong]} at record ${wrong}`)
      const officialSum = KNOWN[name]
      const sum = sha256(bytes)
      const official = officialSum === undefined ? undefined : sum === officialSum
      return TE.right({ path, count: labels.length, labels, sum, official })
    }),
  )
}

const setOf = (name: string, batches: readonly Batch[]): ImageSet =>
  recordSet({
    name,
    shape: [32, 32, 3],
    stride: RECORD,
    files: batches.map(({ path, count }) => ({ path, offset: 0, count })),
    digest: sha256(...batches.map(({ sum }) => sum)),
    labels: Uint8Array.from(batches.flatMap(({ labels }) => [...labels])),
    arrange: planarToLast,
  })

/** The two parts of CIFAR-10, of the batches that were found. */
export interface Cifar10 {
  readonly train: ImageSet
  readonly test: ImageSet
  /** One line on missing batches and on checksums. */
  readonly remark: string
}

const remark = (train: readonly Batch[], test: readonly Batch[]): string => {
  const missing = [[train, 5 * BATCH, 'training'] as const, [test, BATCH, 'test'] as const].flatMap(
    ([batches, all, what]) => {
      const count = batches.reduce((sum, b) => sum + b.count, 0)
      return count === all ? [] : [`${count.toLocaleString('en')} of the ${all.toLocaleString('en')} ${what} images`]
    },
  )
  const all = [...train, ...test]
  const checked = all.filter(({ official }) => official !== undefined)
  return [
    ...missing,
    checked.every(({ official }) => official)
      ? `${checked.length} of ${all.length} files are official by SHA-256, unknown of the others, whose sizes and labels are right`
      : 'not the official files by SHA-256',
  ].join(', ')
}

/**
 * Opens CIFAR-10's binary batches: `data_batch_*.bin` and `test_batch*.bin` in the folder, or in its folder
 * `cifar-10-batches-bin`. Images are read from disk on demand.
 *
 * @returns left: a file error, if there are none; a format error, if one is truncated or of another format.
 * @example await loadCifar10({ folder: 'data/cifar10' })() // right: { train: { count: 50000, shape: [32, 32, 3], … }, … }
 */
export const loadCifar10 = ({ folder }: { readonly folder: string }): TE.TaskEither<DiffeoError, Cifar10> => {
  const list = (at: string): TE.TaskEither<DiffeoError, readonly string[]> =>
    TE.tryCatch(
      () => readdir(at),
      (thrown) => ({ ...fileFailure('read', at)(thrown), expected: 'the folder of CIFAR-10', fix: FIX }),
    )
  const find = (at: string): TE.TaskEither<DiffeoError, Cifar10> =>
    pipe(
      list(at),
      TE.flatMap((names) => {
        if (names.includes('cifar-10-batches-bin')) return find(join(at, 'cifar-10-batches-bin'))
        const check = (kind: string) =>
          pipe(
            names.filter((name) => name.startsWith(kind) && name.endsWith('.bin')).sort(),
            TE.traverseSeqArray((name) => checkBatch(at, name)),
            TE.filterOrElse(
              (batches) => batches.length > 0,
              () => fileError(`read ${at}`, `${kind}*.bin`, 'none', FIX),
            ),
          )
        return pipe(
          TE.Do,
          TE.bind('train', () => check('data_batch')),
          TE.bind('test', () => check('test_batch')),
          TE.map(({ train, test }) => ({
            train: setOf('CIFAR-10 train', train),
            test: setOf('CIFAR-10 test', test),
            remark: remark(train, test),
          })),
        )
      }),
    )
  return find(folder)
}
