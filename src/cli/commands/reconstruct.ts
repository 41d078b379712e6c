/**
 * `diffeo reconstruct`: what is left of test examples after forward and inverse. A flow loses nothing but rounding.
 *
 * @module
 */
import type { Command } from 'commander'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, usageError } from '../../error.js'
import { writePng } from '../../image/png.js'
import { unwrap } from '../../tensor/tensor.js'
import { allFinite, describeNotFinite } from '../evaluation/finite-results.js'
import { reconstruct } from '../evaluation/pictures.js'
import { examples, withDataOptions } from '../flags.js'
import { type Examples, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** Images in a row. */
const SHOWN = 16

/** The largest error on the first test examples, and for images the picture of the worst, which `to` gets. */
export const reconstructTo = (
  { flow, params, config }: OpenRun,
  data: Examples,
  to: string,
  io: Io,
): TE.TaskEither<
  DiffeoError,
  {
    readonly largestError: number
    readonly notFinite: number
    readonly count: number
    readonly files: readonly string[]
  }
> => {
  const isImage = config.shape.length === 3
  const { things } = unitOf(config.shape)
  return pipe(
    TE.fromTask(async () => {
      const x = await data.test.at(0)
      const [count = 0] = unwrap(x).shape
      const made = await counted(io.progress, { doing: 'there and back', total: 2 * count, unit: things })((heard) =>
        reconstruct(flow, params, x, SHOWN, heard),
      )
      unwrap(x).dispose()
      return { ...made, count }
    }),
    TE.tapIO(({ largestError, notFinite, count }) => () => {
      const levels = isImage ? ' of 256 gray levels' : ''
      io.say(
        `reconstruction error at most ${largestError.toPrecision(2)}${levels} on the first ${count} test ${things}${describeNotFinite(count, notFinite)}`,
      )
    }),
    TE.tap(({ picture }) => (isImage ? pipe(TE.fromEither(picture), TE.flatMap(writePng(to))) : TE.right(undefined))),
    TE.map(({ largestError, notFinite, count }) => ({ largestError, notFinite, count, files: isImage ? [to] : [] })),
  )
}

type ReconstructFlags = RunFlags & { readonly to?: string }

/** The whole command. */
export const reconstructRun = (folder: string, flags: ReconstructFlags, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  withRun(folder, flags, io, (run) =>
    pipe(
      run.config.shape.length !== 3 && flags.to !== undefined
        ? TE.left(usageError('--to', 'a run on images', `one on ${run.config.data.name}`, 'leave it out'))
        : examplesOf(run, flags),
      TE.flatMap((data) => reconstructTo(run, data, flags.to ?? filesIn(folder).reconstructions, io)),
      TE.flatMapEither((result) => {
        for (const file of result.files) io.say(file)
        io.result({ run: folder, checkpoint: run.checkpoint, ...result })
        return allFinite(`reconstruct ${folder}`, 'test examples', result.count, result.notFinite)
      }),
    ),
  )

/** Registers the command. */
export const reconstructCommand = (program: Command): Command =>
  withDataOptions(program.command('reconstruct <run>'))
    .description('measure, and of images show, what forward and inverse make of the first test examples')
    .option('--to <file>', 'the PNG file (default: reconstructions.png in the run)')
    .addHelpText('after', examples('reconstruct runs/mnist --to back.png'))
    .action((folder: string, flags: ReconstructFlags, command: Command) =>
      perform((io) => reconstructRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
