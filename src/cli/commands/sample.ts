/**
 * `diffeo sample`: draws samples from a run, at one temperature or several, as a picture.
 *
 * @module
 */
import type { Command } from 'commander'
import { integer } from '../../codec.js'
import { orThrow } from '../../error.js'
import { writePng } from '../../image/png.js'
import { key } from '../../tensor/random.js'
import { requireFinite } from '../evaluation/finite-results.js'
import { samplePicture } from '../evaluation/pictures.js'
import { examples, number, numbers, positive, withRunOptions } from '../flags.js'
import { keysOf, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { chosenClasses } from '../run/given.js'
import { type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface SampleFlags extends RunFlags {
  readonly n?: number
  readonly temperature: readonly number[]
  readonly seed?: number
  readonly given?: readonly number[]
  readonly to?: string
}

/** The whole command. */
export const sampleRun = (folder: string, flags: SampleFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async ({ flow, params, config, checkpoint }): Promise<Outcome> => {
    const { temperature: temperatures, seed, to = filesIn(folder).samples } = flags
    const isImage = config.shape.length === 3
    const classes = chosenClasses(flow, flags.given)
    const rows = temperatures.length * (classes?.length ?? 1)
    const n = flags.n ?? (isImage ? (rows > 1 ? 8 : 64) : 500)
    const columns = rows > 1 ? n : 8
    let notFinite = 0
    const onNotFinite = (count: number): void => {
      notFinite = count
    }
    const seedKey = seed === undefined ? keysOf(config.recipe.seed).sample : key(seed)
    const total = n * rows
    const picture = await counted(io.progress, { doing: 'drawing', total, unit: unitOf(config.shape).things })(
      (heard) =>
        samplePicture(flow, params, seedKey, {
          ...{ n, columns, temperatures, onNotFinite, heard },
          ...(classes && { classes }),
        }),
    )
    orThrow(await writePng(to)(picture)())
    const named = (one: string, many: string, list: readonly number[]) =>
      `${list.length > 1 ? many : one} ${list.join(', ')}`
    const ofClasses = classes === undefined ? '' : ` of ${named('class', 'classes', classes)}`
    io.say(`${n} samples${ofClasses} at ${named('temperature', 'temperatures', temperatures)}`)
    io.say(to)
    io.result({ run: folder, checkpoint, n, ...(classes && { classes }), temperatures, notFinite, files: [to] })
    requireFinite(`sample ${folder}`, 'samples', total, notFinite)
    return 'done'
  })

/** Registers the command. */
export const sampleCommand = (program: Command): Command =>
  withRunOptions(program.command('sample <run>'))
    .description('draw samples from a run as a picture')
    .option(
      '--n <n>',
      'number of samples for each class and temperature (default: 64 images, or 8 for each of several; 500 points)',
      number('--n', integer(1, 4096)),
    )
    .option('--temperature <t,t>', 'sampling temperature, or several', numbers('--temperature', positive), [1])
    .option(
      '--given <n,n>',
      'classes to draw, for a run with --given labels (default: all, a row each)',
      numbers('--given', integer(0, 255)),
    )
    .option('--seed <n>', "random seed (default: the run's)", number('--seed', integer(0, 2 ** 32 - 1)))
    .option('--to <file>', 'PNG file (default: samples.png in the run)')
    .addHelpText(
      'after',
      examples(
        'sample runs/mnist',
        'sample runs/mnist --temperature 0.5,0.7,0.85,1 --to rows.png',
        'sample runs/classes --given 7',
      ),
    )
    .action((folder: string, flags: SampleFlags, command: Command) =>
      perform((io) => sampleRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
