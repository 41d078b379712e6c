/**
 * `diffeo data check`: checks that the files of a data set exist and are complete, down to the last image.
 *
 * @module
 */
import type { Command } from 'commander'
import { integer } from '../../codec.js'
import { firstIndices, type ImageSet } from '../../data/image-set.js'
import { dataArgument, namedData } from '../data-argument.js'
import { examples, number } from '../flags.js'
import { dataConfig, sharingOf } from '../run/config-flags.js'
import { loadRunData } from '../run/data.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface DataFlags {
  readonly data?: string
  readonly size?: number
  readonly validation?: number
}

/** The number of images that are read at once. */
const CHUNK = 100

/** Statistics of the files: every image is read, and decoded if it is compressed. */
interface Contents {
  readonly images: number
  readonly least: number
  readonly most: number
  readonly mean: number
}

const readAll = (files: readonly ImageSet[], io: Io): Promise<Contents> => {
  const images = files.reduce((sum, { count }) => sum + count, 0)
  return counted(io.progress, { doing: 'reading', total: images, unit: 'images' })(async (heard) => {
    let [least, most, sum, bytes, done] = [255, 0, 0, 0, 0]
    for (const { count, read } of files)
      for (let first = 0; first < count; first += CHUNK) {
        const indices = firstIndices(Math.min(CHUNK, count - first)).map((i) => first + i)
        for (const level of await read(indices)) {
          if (level < least) least = level
          if (level > most) most = level
          sum += level
          bytes++
        }
        done += indices.length
        heard(done)
      }
    return { images, least, most, mean: sum / bytes }
  })
}

/** The whole command. */
export const checkData = async (name: string, flags: DataFlags, io: Io): Promise<Outcome> => {
  const { shape, summary, files } = await loadRunData(dataConfig(name, flags), sharingOf(flags))
  io.say(summary)
  const contents = files.length === 0 ? undefined : await readAll(files, io)
  if (contents !== undefined) {
    const { images, least, most, mean } = contents
    io.say(
      `all ${images.toLocaleString('en')} images were read: gray levels ${least} to ${most}, mean ${mean.toFixed(2)}`,
    )
    if (least === most) io.warn(`data: every pixel of all images is ${least}; nothing can be learned from them`)
  }
  io.result({ data: name, shape, summary, ...contents })
  return 'done'
}

/** Registers the command. */
export const dataCommand = (program: Command): Command =>
  program
    .command('data')
    .description('data sets')
    .addHelpText('after', examples('data check mnist'))
    .command('check')
    .addArgument(dataArgument())
    .description('read a whole data set and check that its files are complete and official')
    .option('--data <folder>', 'folder of the data files')
    .option(
      '--size <n>',
      'height and width in pixels, to which images are cropped and resized',
      number('--size', integer(1, 1024)),
    )
    .option(
      '--validation <n>',
      'size of the validation set (default: a tenth of the images, at most 512)',
      number('--validation', integer(0, 1_000_000)),
    )
    .addHelpText(
      'after',
      examples('data check mnist', 'data check fashion-mnist --data ~/fashion', 'data check photos.zip'),
    )
    .action((data: string, flags: DataFlags, command: Command) =>
      perform(async (io) => {
        const named = namedData(data, flags)
        return checkData(named.name, named.flags, io)
      }, command.optsWithGlobals<GlobalFlags>()),
    )
