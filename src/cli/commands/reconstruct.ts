/**
 * `diffeo reconstruct`: the error of forward followed by inverse on test examples. A flow loses only rounding.
 *
 * @module
 */
import type { Command } from 'commander'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { writePng } from '../../image/png.js'
import { sizes } from '../../tensor/tensor.js'
import { describeNotFinite, requireFinite } from '../evaluation/finite-results.js'
import { reconstruct } from '../evaluation/pictures.js'
import { examples, withDataOptions } from '../flags.js'
import { type Examples, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { examplesIn, freeBatch } from '../run/given.js'
import { examplesOf, type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** Images in a row. */
const SHOWN = 16

interface Reconstructed {
  readonly largestError: number
  readonly notFinite: number
  readonly count: number
  readonly files: readonly string[]
}

/** Measures the largest error on the first test examples. Of images it also draws the worst, into the file `to`. */
export const reconstructTo = async (
  { flow, params, config }: OpenRun,
  data: Examples,
  to: string,
  io: Io,
): Promise<Reconstructed> => {
  const { things } = unitOf(config)
  const batch = await data.test.at(0)
  const [count = 0] = sizes(examplesIn(batch))
  const counting = { doing: 'reconstructing', total: 2 * count, unit: things }
  const { largestError, notFinite, picture } = await counted(
    io.progress,
    counting,
  )((heard) => reconstruct(flow, params, batch, SHOWN, heard)).finally(() => freeBatch(batch))
  const levels = picture === undefined ? '' : ' of 256 gray levels'
  io.say(
    `reconstruction error at most ${largestError.toPrecision(2)}${levels} on the first ${count} test ${things}${describeNotFinite(count, notFinite)}`,
  )
  if (picture !== undefined) orThrow(await writePng(to)(picture)())
  return { largestError, notFinite, count, files: picture === undefined ? [] : [to] }
}

type ReconstructFlags = RunFlags & { readonly to?: string }

/** The whole command. */
export const reconstructRun = (folder: string, flags: ReconstructFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    if (run.config.shape.length !== 3 && flags.to !== undefined)
      throw new DiffeoException(usageError('--to', 'a run on images', `one on ${run.config.data.name}`, 'leave it out'))
    const to = flags.to ?? filesIn(folder).reconstructions
    const result = await reconstructTo(run, await examplesOf(run, flags), to, io)
    for (const file of result.files) io.say(file)
    io.result({ run: folder, checkpoint: run.checkpoint, ...result })
    requireFinite(`reconstruct ${folder}`, 'test examples', result.count, result.notFinite)
    return 'done'
  })

/** Registers the command. */
export const reconstructCommand = (program: Command): Command =>
  withDataOptions(program.command('reconstruct <run>'))
    .description('measure the reconstruction error of the first test examples, and show that of images')
    .option('--to <file>', 'PNG file (default: reconstructions.png in the run)')
    .addHelpText('after', examples('reconstruct runs/mnist --to back.png'))
    .action((folder: string, flags: ReconstructFlags, command: Command) =>
      perform((io) => reconstructRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
