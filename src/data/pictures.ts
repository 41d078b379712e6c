/**
 * Pictures of any size as an image set: PNG and JPEG files in a folder or a zip archive, each decoded, cropped and
 * resized when it is asked for, by sharp (libvips) in threads of its own.
 *
 * Resizing is by Lanczos' kernel with three lobes, over the area that a pixel covers. Gray pictures become three equal
 * channels, transparent ones are laid on white.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { asError, type DiffeoError, DiffeoException, fileError, formatError } from '../error.js'
import { fileFailure } from '../file.js'
import { importSharp } from '../image/sharp.js'
import type { ImageSet } from './image-set.js'
import { sha256 } from './records.js'
import { listZip, readZip } from './zip.js'

/** A rectangle of pixels. */
export interface Crop {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Where pictures are: their names, the sizes of their files, and the bytes or the path of some of them. */
export interface Pictures {
  readonly at: string
  readonly names: readonly string[]
  readonly sizes: readonly number[]
  readonly open: (indices: readonly number[]) => ReadonlyArray<Buffer | string>
}

/** How pictures become images. */
export interface Resizing {
  /** Height and width of the images. */
  readonly size: number
  /** What is kept of each picture; the largest square in its middle unless told. */
  readonly crop?: Crop
}

/** No picture has more pixels, so that a header that says so is refused before anything is made for it. */
const LARGEST = 2 ** 26

const isPicture = (name: string): boolean => /\.(png|jpe?g)$/i.test(name) && !basename(name).startsWith('.')

/** In this order whatever the file system's. */
const ordered = <A extends { readonly name: string }>(entries: readonly A[]): readonly A[] =>
  [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))

/**
 * The pictures of a folder and the folders in it, or of a zip archive, ordered by name.
 *
 * @returns left: a file error, if there are none; a format error, if the archive is damaged.
 * @example await findPictures('photos')() // right: { names: ['a.jpg', 'trip/b.png'], … }
 */
export const findPictures = (at: string): TE.TaskEither<DiffeoError, Pictures> =>
  pipe(
    at.endsWith('.zip')
      ? pipe(
          listZip(at, isPicture),
          TE.map(ordered),
          TE.map((entries): Pictures => {
            const open: Pictures['open'] = (indices) =>
              readZip(
                at,
                indices.map((i) => entries[i]!),
              )
            return { at, names: entries.map(({ name }) => name), sizes: entries.map(({ plain }) => plain), open }
          }),
        )
      : pipe(
          TE.tryCatch(
            () => readdir(at, { recursive: true }),
            (thrown) => ({ ...fileFailure('read', at)(thrown), expected: 'a folder of pictures' }),
          ),
          TE.flatMapEither((found) =>
            pipe(
              ordered(found.filter(isPicture).map((name) => ({ name: name.split(sep).join('/') }))),
              E.traverseArray(({ name }) => {
                const path = join(at, name)
                return E.tryCatch(() => ({ name, path, stat: statSync(path) }), fileFailure('read', path))
              }),
            ),
          ),
          TE.map((found): Pictures => {
            // a folder may have such a name
            const files = found.filter(({ stat }) => stat.isFile())
            return {
              at,
              names: files.map(({ name }) => name),
              sizes: files.map(({ stat }) => stat.size),
              open: (all) => all.map((i) => files[i]!.path),
            }
          }),
        ),
    TE.filterOrElse(
      ({ names }) => names.length > 0,
      () =>
        fileError(`read ${at}`, 'pictures (.png, .jpg, .jpeg)', 'none', 'name a folder or a .zip file that has some'),
    ),
  )

/**
 * Some of the pictures, by name.
 *
 * @example pipe(findPictures('photos'), TE.map((all) => choosePictures(all, (name) => name.startsWith('trip/'))))
 */
export const choosePictures = ({ at, names, sizes, open }: Pictures, wanted: (name: string) => boolean): Pictures => {
  const chosen = names.flatMap((name, i) => (wanted(name) ? [i] : []))
  const some = <A>(all: readonly A[]): readonly A[] => chosen.map((i) => all[i]!)
  return { at, names: some(names), sizes: some(sizes), open: (indices) => open(indices.map((i) => chosen[i]!)) }
}

/**
 * The image set of pictures: `size`×`size`×3.
 *
 * @returns left: a file error, if sharp is not installed; a format error, if the first picture is not one.
 * @example pipe(findPictures('photos'), TE.flatMap(p => pictureSet('photos', p, { size: 64 })))
 */
export const pictureSet = (
  name: string,
  { at, names, sizes, open }: Pictures,
  { size, crop }: Resizing,
): TE.TaskEither<DiffeoError, ImageSet> =>
  pipe(
    importSharp('pictures'),
    TE.map((sharp): ImageSet => {
      const decode = async (input: Buffer | string, index: number): Promise<Buffer> => {
        try {
          const options = { limitInputPixels: LARGEST, failOn: 'truncated', autoOrient: crop === undefined } as const
          const picture = sharp(input, options)
          return await (crop === undefined ? picture : picture.extract(crop))
            .resize(size, size)
            .flatten({ background: 'white' })
            .toColourspace('srgb')
            .raw({ depth: 'uchar' })
            .toBuffer()
        } catch (thrown) {
          const got = (thrown instanceof Error ? thrown.message : String(thrown)).trim().replaceAll('\n', ', ')
          const whole =
            crop === undefined ? '' : ` of at least ${crop.left + crop.width}×${crop.top + crop.height} pixels`
          throw new DiffeoException(
            formatError(
              join(at, names[index]!),
              `a whole PNG or JPEG picture${whole}`,
              got,
              'replace it or take it away',
            ),
          )
        }
      }
      const read = async (indices: Uint32Array): Promise<Uint8Array> => {
        const list = [...indices]
        const inputs = open(list)
        return Buffer.concat(await Promise.all(inputs.map((input, i) => decode(input, list[i]!))))
      }
      // without their folders, so that it is the same set in an archive and unpacked
      const digest = sha256(JSON.stringify(names.map((own, i) => [basename(own), sizes[i]])))
      return { name, shape: [size, size, 3], count: names.length, digest, read }
    }),
    TE.tap((set) => TE.tryCatch(() => set.read(Uint32Array.of(0)), asError)),
  )

// inside of an archive stat throws, whatever it is told
const hasFolder = (at: string): boolean => existsSync(at) && statSync(at).isDirectory()

/**
 * The parts of a folder of pictures: those of its folders `train` and `test` if it has both, else all as one.
 *
 * @returns left: as {@link findPictures} and {@link pictureSet}.
 * @example await loadFolder('data/pictures', 64)() // right: { train: { count: 500, shape: [64, 64, 3], … }, … }
 */
export const loadFolder = (
  at: string,
  size: number,
): TE.TaskEither<DiffeoError, { readonly train: ImageSet; readonly test?: ImageSet }> => {
  const set = (folder: string) =>
    pipe(
      findPictures(folder),
      TE.flatMap((pictures) => pictureSet(basename(folder), pictures, { size })),
    )
  const [train, test] = [join(at, 'train'), join(at, 'test')]
  return hasFolder(train) && hasFolder(test)
    ? pipe(
        TE.Do,
        TE.bind('train', () => set(train)),
        TE.bind('test', () => set(test)),
      )
    : pipe(
        set(at),
        TE.map((train) => ({ train })),
      )
}
