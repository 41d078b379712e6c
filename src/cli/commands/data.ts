/**
 * `diffeo data check`: whether the files of a data set are there and what they should be, down to the last image.
 *
 * @module
 */
import type { Command } from 'commander'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { integer } from '../../codec.js'
import { type ImageSet, range } from '../../data/image-set.js'
import { asError, type DiffeoError } from '../../error.js'
import { dataArgument, namedData } from '../data-argument.js'
import { examples, number } from '../flags.js'
import { dataConfig, sharingOf } from '../run/config-flags.js'
import { loadDataSet } from '../run/examples.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface DataFlags {
  readonly data?: string
  readonly size?: number
  readonly validation?: number
}

/** Images read at once. */
const CHUNK = 100

/** What is in the files: every image is read, and decoded if it is packed. */
interface Contents {
  readonly images: number
  readonly least: number
  readonly most: number
  readonly mean: number
}

const readAll = (files: readonly ImageSet[], io: Io): TE.TaskEither<DiffeoError, Contents> => {
  const images = files.reduce((sum, { count }) => sum + count, 0)
  return TE.tryCatch(
    () =>
      counted(io.progress, { doing: 'reading', total: images, unit: 'images' })(async (heard) => {
        let [least, most, sum, bytes, done] = [255, 0, 0, 0, 0]
        for (const { count, read } of files)
          for (let first = 0; first < count; first += CHUNK) {
            const indices = range(Math.min(CHUNK, count - first)).map((i) => first + i)
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
      }),
    asError,
  )
}

/** The whole command. */
export const checkData = (name: string, flags: DataFlags, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  pipe(
    loadDataSet(dataConfig(name, flags), sharingOf(flags)),
    TE.bindTo('set'),
    TE.tapIO(
      ({ set }) =>
        () =>
          io.say(set.summary),
    ),
    TE.bind('contents', ({ set: { files } }) => (files.length === 0 ? TE.right(undefined) : readAll(files, io))),
    TE.map(({ set: { shape, summary }, contents }) => {
      if (contents !== undefined)
        io.say(
          `all ${contents.images.toLocaleString('en')} images were read: gray levels ${contents.least} to ${contents.most}, ` +
            `mean ${contents.mean.toFixed(2)}`,
        )
      if (contents !== undefined && contents.least === contents.most)
        io.warn(`data: every pixel of all images is ${contents.least}; nothing can be learned from them`)
      io.result({ data: name, shape, summary, ...contents })
      return 'done'
    }),
  )

/** Registers the command. */
export const dataCommand = (program: Command): Command =>
  program
    .command('data')
    .description('data sets')
    .addHelpText('after', examples('data check mnist'))
    .command('check')
    .addArgument(dataArgument())
    .description('read a whole data set, and see whether its files are whole and official')
    .option('--data <folder>', 'where they are')
    .option('--size <n>', 'height and width to crop and resize images to', number('--size', integer(1, 1024)))
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
      perform(
        (io) =>
          pipe(
            TE.fromEither(namedData(data, flags)),
            TE.flatMap((named) => checkData(named.name, named.flags, io)),
          ),
        command.optsWithGlobals<GlobalFlags>(),
      ),
    )
