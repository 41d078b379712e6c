/**
 * Pictures of any size as an image set: PNG and JPEG files in a folder or a zip archive. sharp (libvips) decodes, crops
 * and resizes each on demand, in other threads.
 *
 * Resizing uses a Lanczos kernel with three lobes, over the area that a pixel covers. Gray pictures get three equal
 * channels; transparent pixels become white.
 *
 * @module
 */
import { basename, join } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { asError, type DiffeoError, DiffeoException, formatError } from '../error.js'
import { importSharp } from '../image/sharp.js'
import { messageOf } from '../thrown.js'
import type { ImageSet } from './image-set.js'
import { choosePictures, findPictures, type Pictures } from './picture-files.js'
import { pictureHeader } from './picture-format.js'
import { sha256 } from './records.js'
import { weightedLimit } from './weighted-limit.js'

/** A rectangle of pixels. */
export interface Crop {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Options of {@link pictureSet}. */
export interface Resizing {
  /** Height and width of the images. */
  readonly size: number
  /** The part of each picture to keep; default: the largest central square. */
  readonly crop?: Crop
}

/** A picture of more pixels is refused before any memory is taken for it. */
const LARGEST = 2 ** 26

/** Files and pixels are held for a few pictures at once, however large a batch is. */
const limitBytes = weightedLimit(2 ** 27)
const limitPixels = weightedLimit(LARGEST)

/**
 * Creates the image set of pictures, `size`×`size`×3.
 *
 * @returns left: a file error, if sharp is not installed; a format error, if the first picture is damaged or of another format.
 * @example pipe(findPictures('photos'), TE.flatMap(p => pictureSet('photos', p, { size: 64 })))
 */
export const pictureSet = (
  name: string,
  { at, names, sizes, read: readFile }: Pictures,
  { size, crop }: Resizing,
): TE.TaskEither<DiffeoError, ImageSet> =>
  pipe(
    importSharp('pictures'),
    TE.map((sharp): ImageSet => {
      const decode = async (bytes: Uint8Array, index: number): Promise<Uint8Array> => {
        const refuse = (got: string) => {
          const whole =
            crop === undefined ? '' : ` of at least ${crop.left + crop.width}×${crop.top + crop.height} pixels`
          const path = join(at, names[index]!)
          return new DiffeoException(
            formatError(path, `a whole PNG or JPEG picture${whole}`, got, 'replace it or remove it'),
          )
        }
        const header = pictureHeader(bytes)
        if (typeof header === 'string') throw refuse(header)
        const pixels = header.width * header.height
        if (pixels > LARGEST) throw refuse(`${header.width}×${header.height} pixels, more than ${LARGEST}`)
        return limitPixels(pixels, async () => {
          try {
            const options = { limitInputPixels: LARGEST, failOn: 'truncated', autoOrient: crop === undefined } as const
            const picture = sharp(bytes, options)
            return await (crop === undefined ? picture : picture.extract(crop))
              .resize(size, size)
              .flatten({ background: 'white' })
              .toColourspace('srgb')
              .raw({ depth: 'uchar' })
              .toBuffer()
          } catch (thrown) {
            throw refuse(messageOf(thrown).trim().replaceAll('\n', ', '))
          }
        })
      }
      const read = async (indices: Uint32Array): Promise<Uint8Array> => {
        const imageSize = size * size * 3
        const out = new Uint8Array(indices.length * imageSize)
        const readInto = async (index: number, place: number): Promise<void> =>
          limitBytes(sizes[index]!, async () => out.set(await decode(await readFile(index), index), place * imageSize))
        await Promise.all([...indices].map(readInto))
        return out
      }
      // Without their folders, so that an archive has the digest of the same files unpacked.
      const digest = sha256(JSON.stringify(names.map((path, i) => [basename(path), sizes[i]])))
      return { name, shape: [size, size, 3], count: names.length, digest, read }
    }),
    TE.tap((set) => TE.tryCatch(() => set.read(Uint32Array.of(0)), asError)),
  )

/** The names of the folders that hold a part. */
const PARTS = { train: ['train'], validation: ['validation', 'valid', 'val'], test: ['test'] }
type Part = keyof typeof PARTS

const firstFolder = (name: string): string => (name.includes('/') ? name.slice(0, name.indexOf('/')) : '')

/** The part that a folder's name stands for. */
const partOf = (folder: string): Part | undefined =>
  (Object.keys(PARTS) as Part[]).find((part) => PARTS[part].includes(folder.toLowerCase()))

/** Names without the folders that they all share: an archive often has a single folder at its top. */
const withoutCommonFolder = (names: readonly string[]): readonly string[] => {
  const folder = firstFolder(names[0]!)
  return folder === '' || partOf(folder) !== undefined || !names.every((name) => firstFolder(name) === folder)
    ? names
    : withoutCommonFolder(names.map((name) => name.slice(folder.length + 1)))
}

/** The parts of a set of pictures. */
export interface PictureParts {
  readonly train: ImageSet
  readonly validation?: ImageSet
  readonly test?: ImageSet
  /** How many pictures are outside the folders of the parts, and therefore not used. */
  readonly unused: number
}

/**
 * The parts of a folder or a zip archive of pictures: those of its folders `train`, `test` and `validation` (or `valid`,
 * `val`) if it has `train` and another one, else all pictures as one part. One folder around them makes no difference.
 *
 * @returns left: as {@link findPictures} and {@link pictureSet}.
 * @example await loadFolder('data/pictures', 64)() // right: { train: { count: 500, shape: [64, 64, 3], … }, … }
 */
export const loadFolder = (at: string, size: number): TE.TaskEither<DiffeoError, PictureParts> =>
  pipe(
    findPictures(at),
    TE.flatMap((pictures): TE.TaskEither<DiffeoError, PictureParts> => {
      const parts = withoutCommonFolder(pictures.names).map((name) => partOf(firstFolder(name)))
      const places = new Map(pictures.names.map((name, i) => [name, parts[i]]))
      const set = (part?: Part) =>
        pictureSet(
          part === undefined ? basename(at) : `${basename(at)} ${part}`,
          choosePictures(pictures, (name) => part === undefined || places.get(name) === part),
          { size },
        )
      const setIfAny = (part: Part) => (parts.includes(part) ? set(part) : TE.right(undefined))
      if (!parts.includes('train') || !(parts.includes('test') || parts.includes('validation')))
        return pipe(
          set(),
          TE.map((train) => ({ train, unused: 0 })),
        )
      return pipe(
        TE.Do,
        TE.bind('train', () => set('train')),
        TE.bind('validation', () => setIfAny('validation')),
        TE.bind('test', () => setIfAny('test')),
        TE.map(({ train, validation, test }) => ({
          train,
          ...(validation === undefined ? {} : { validation }),
          ...(test === undefined ? {} : { test }),
          unused: parts.filter((part) => part === undefined).length,
        })),
      )
    }),
  )
