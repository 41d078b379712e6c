/**
 * Finds pictures: PNG and JPEG files in a folder and the folders in it, or in a zip archive.
 *
 * Hidden files and folders are left out, as is what macOS adds to archives (`__MACOSX`). Links are followed, but no
 * folder is entered twice, nor one that contains the folder to read.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { asError, type DiffeoError, DiffeoException, fileError } from '../error.js'
import { fileFailure, readBytes } from '../file.js'
import { listZip, readZip } from './zip.js'

/** Pictures by number: their names, relative and with `/` between folders, and the sizes of their files in bytes. */
export interface Pictures {
  /** The folder or the archive. */
  readonly at: string
  readonly names: readonly string[]
  readonly sizes: readonly number[]
  /** The bytes of one file. Rejects with a `DiffeoException` if it can no longer be read. */
  readonly read: (index: number) => Promise<Uint8Array>
}

/** A larger file is refused: this is the size of the largest decoded picture without compression. */
const LARGEST_FILE = 2 ** 28

const isHidden = (name: string): boolean => name.startsWith('.') || name === '__MACOSX'
const isPicture = (name: string): boolean => /\.(png|jpe?g)$/i.test(name) && !name.split('/').some(isHidden)

/** Sorts by name, because the order of a file system differs from machine to machine. */
const ordered = <A extends { readonly name: string }>(entries: readonly A[]): readonly A[] =>
  [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))

interface FoundFile {
  readonly name: string
  readonly path: string
  readonly size: number
}

const statOf = (path: string) => {
  try {
    return statSync(path)
  } catch (thrown) {
    throw new DiffeoException(fileFailure('read', path)(thrown))
  }
}

/** All pictures below a folder. Folders are entered before links to folders, so that pictures keep their shortest names. */
const filesBelow = async (root: string): Promise<readonly FoundFile[]> => {
  const above = await realpath(root)
  const entered = new Set<string>()
  const files: FoundFile[] = []
  const links: string[] = []
  const enter = async (folder: string): Promise<void> => {
    const path = join(root, folder)
    const real = await realpath(path)
    if (entered.has(real)) return
    entered.add(real)
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (isHidden(entry.name)) continue
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      const place = join(root, name)
      if (entry.isDirectory()) await enter(name)
      else if (entry.isSymbolicLink() && existsSync(place) && statOf(place).isDirectory()) links.push(name)
      else if (isPicture(name)) {
        const stat = statOf(place)
        if (stat.isFile()) files.push({ name, path: place, size: stat.size })
      }
    }
  }
  await enter('')
  for (const link of links.sort()) {
    const real = await realpath(join(root, link))
    if (!`${above}${sep}`.startsWith(real.endsWith(sep) ? real : `${real}${sep}`)) await enter(link)
  }
  return files
}

const inFolder = (at: string): TE.TaskEither<DiffeoError, Pictures> =>
  pipe(
    TE.tryCatch(
      () => filesBelow(at),
      (thrown) =>
        thrown instanceof DiffeoException
          ? thrown.error
          : { ...fileFailure('read', at)(thrown), expected: 'a folder of pictures' },
    ),
    TE.map(ordered),
    TE.map((files) => ({
      at,
      names: files.map(({ name }) => name),
      sizes: files.map(({ size }) => size),
      read: async (index) => {
        const bytes = await readBytes(files[index]!.path, LARGEST_FILE)()
        if (bytes._tag === 'Left') throw new DiffeoException(bytes.left)
        return bytes.right
      },
    })),
  )

const inArchive = (at: string): TE.TaskEither<DiffeoError, Pictures> =>
  pipe(
    listZip(at, isPicture),
    TE.mapLeft((error) =>
      error._tag === 'FormatError' && !/\.zip$/i.test(at)
        ? {
            ...error,
            expected: 'a folder or a .zip archive of pictures',
            fix: 'name the folder that holds the pictures',
          }
        : error,
    ),
    TE.map(ordered),
    TE.map((entries) => ({
      at,
      names: entries.map(({ name }) => name),
      sizes: entries.map(({ plain }) => plain),
      read: (index) => readZip(at, entries[index]!),
    })),
  )

/**
 * The pictures of a folder and the folders in it, or of a zip archive, ordered by name.
 *
 * @returns left: a file error, if there are none; a format error, if the archive is damaged.
 * @example await findPictures('photos')() // right: { names: ['a.jpg', 'trip/b.png'], … }
 */
export const findPictures = (at: string): TE.TaskEither<DiffeoError, Pictures> =>
  pipe(
    TE.tryCatch(async () => existsSync(at), asError),
    TE.flatMap((exists) => {
      const isFolder = exists ? statSync(at).isDirectory() : !/\.zip$/i.test(at)
      return isFolder ? inFolder(at) : inArchive(at)
    }),
    TE.filterOrElse(
      ({ names }) => names.length > 0,
      () =>
        fileError(
          `read ${at}`,
          'pictures (.png, .jpg, .jpeg)',
          'none',
          'name a folder or a .zip archive with PNG or JPEG files',
        ),
    ),
  )

/**
 * The pictures whose names are wanted.
 *
 * @example choosePictures(await findPictures('photos'), (name) => name.startsWith('trip/'))
 */
export const choosePictures = ({ at, names, sizes, read }: Pictures, wanted: (name: string) => boolean): Pictures => {
  const chosen = names.flatMap((name, i) => (wanted(name) ? [i] : []))
  return {
    at,
    names: chosen.map((i) => names[i]!),
    sizes: chosen.map((i) => sizes[i]!),
    read: (index) => read(chosen[index]!),
  }
}
