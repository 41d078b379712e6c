/**
 * CelebA: 202,599 aligned photographs of faces, 178×218, as the user downloaded them: a folder or the zip archive.
 *
 * The crop is that of Real NVP, rows 40 to 187 and columns 15 to 162, then resized to 64×64 or 32×32.
 *
 * Sources: Liu, Luo, Wang and Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015; Dinh et al.,
 * arXiv 1605.08803, section 4.1.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, fileError, formatError } from '../error.js'
import { readBytes } from '../file.js'
import type { ImageSet } from './image-set.js'
import { choosePictures, findPictures } from './picture-files.js'
import { pictureSet } from './pictures.js'

const CROP = { left: 15, top: 40, width: 148, height: 148 }
const ALL = 202_599
/** More than six times the official list. */
const LARGEST_LIST = 2 ** 24

const FIX =
  'download img_align_celeba.zip and list_eval_partition.txt from mmlab.ie.cuhk.edu.hk/projects/CelebA.html into that folder'

type Part = 'train' | 'validation' | 'test'
const PARTS: ReadonlyMap<string, Part> = new Map([
  ['0', 'train'],
  ['1', 'validation'],
  ['2', 'test'],
])
/** How many photographs the official list puts into each. */
const OFFICIAL: Readonly<Record<Part, number>> = { train: 162_770, validation: 19_867, test: 19_962 }

/**
 * Parses `list_eval_partition.txt`: a name and 0 (training), 1 (validation) or 2 (test) on each line.
 *
 * @returns left: a format error that names the first invalid line.
 */
export const parsePartition =
  (name: string) =>
  (text: string): E.Either<DiffeoError, ReadonlyMap<string, Part>> => {
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
    const parts = new Map<string, Part>()
    for (const [i, line] of lines.entries()) {
      const [file, part] = line.trim().split(/\s+/)
      const partition = PARTS.get(part ?? '')
      if (file === undefined || partition === undefined)
        return E.left(formatError(`${name} line ${i + 1}`, 'a file name and 0, 1 or 2', `'${line.slice(0, 60)}'`, FIX))
      parts.set(file, partition)
    }
    return E.right(parts)
  }

/** Describes the list: official if its counts are. */
const describeParts = (parts: ReadonlyMap<string, Part> | undefined): string => {
  if (parts === undefined) return 'without list_eval_partition.txt'
  const counts = { train: 0, validation: 0, test: 0 }
  for (const part of parts.values()) counts[part]++
  const text = (of: Readonly<Record<Part, number>>) =>
    [of.train, of.validation, of.test].map((n) => n.toLocaleString('en')).join(' + ')
  return text(counts) === text(OFFICIAL)
    ? `in the official parts of ${text(OFFICIAL)}`
    : `in parts of ${text(counts)} by its list, which are not the official ${text(OFFICIAL)}`
}

/** The parts of CelebA. Without the official partition all photographs are for training. */
export interface CelebA {
  readonly train: ImageSet
  readonly validation?: ImageSet
  readonly test?: ImageSet
  readonly remark: string
}

/**
 * Opens CelebA: `img_align_celeba.zip` or the folder `img_align_celeba` in a folder, or a folder with the photographs
 * themselves. `list_eval_partition.txt` beside them is optional.
 *
 * @returns left: a file error, if there are no photographs; a format error, if a file is damaged.
 * @example await loadCelebA('data/celeba', 64)() // right: { train: { count: 162770, shape: [64, 64, 3], … }, … }
 */
export const loadCelebA = (folder: string, size: number): TE.TaskEither<DiffeoError, CelebA> => {
  const inside = ['img_align_celeba', 'img_align_celeba.zip'].map((name) => join(folder, name)).find(existsSync)
  const list = join(folder, 'list_eval_partition.txt')
  return pipe(
    findPictures(inside ?? folder),
    TE.mapLeft((e) => (e._tag === 'FileError' ? { ...e, fix: FIX } : e)),
    TE.bindTo('all'),
    TE.bind('partition', () =>
      existsSync(list)
        ? pipe(
            readBytes(list, LARGEST_LIST),
            TE.flatMapEither((bytes) => parsePartition(list)(Buffer.from(bytes).toString('latin1'))),
          )
        : TE.right(undefined),
    ),
    TE.flatMap(({ all, partition }) => {
      const part = (which: Part) => {
        const pictures = choosePictures(
          all,
          (name) => partition === undefined || partition.get(basename(name)) === which,
        )
        return pictures.names.length === 0
          ? TE.left(fileError(list, `photographs of its ${which} part`, 'none in the folder', FIX))
          : pictureSet(`CelebA ${which}`, pictures, { size, crop: CROP })
      }
      const there = all.names.length === ALL ? 'all' : `${all.names.length.toLocaleString('en')} of the`
      const remark = `${there} ${ALL.toLocaleString('en')} photographs, ${describeParts(partition)}`
      return partition === undefined
        ? pipe(
            part('train'),
            TE.map((train) => ({ train, remark })),
          )
        : pipe(
            TE.Do,
            TE.bind('train', () => part('train')),
            TE.bind('validation', () => part('validation')),
            TE.bind('test', () => part('test')),
            TE.map((parts) => ({ ...parts, remark })),
          )
    }),
  )
}
