/**
 * `diffeo sample`: draws samples from a run, at one temperature or several, as a picture.
 *
 * @module
 */
import type { Command } from 'commander'
import { integer } from '../../codec.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { writePng } from '../../image/png.js'
import { key } from '../../tensor/random.js'
import { requireFinite } from '../evaluation/finite-results.js'
import { samplePicture } from '../evaluation/pictures.js'
import { writeRows } from '../evaluation/table-samples.js'
import { examples, number, numbers, positive, withRunOptions } from '../flags.js'
import { keysOf, unitOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { chosenClasses } from '../run/given.js'
import { type OpenRun, type RunFlags, withRun } from '../run/open-run.js'
import { parseContext, type RunTable, runTable } from '../run/table-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { counted } from '../terminal/progress.js'

/** The flags. */
interface SampleFlags extends RunFlags {
  readonly n?: number
  readonly temperature: readonly number[]
  readonly seed?: number
  /** Classes, or values of a table's columns. */
  readonly given?: string
  readonly to?: string
}

/** The most rows of a table. They are held in memory before they are written. */
const MOST_ROWS = 1_000_000
/** The most images or points. */
const MOST = 4096

const classList = numbers('--given', integer(0, 255))

/** Draws rows of a table into a file. */
const sampleRows = async (
  folder: string,
  run: OpenRun,
  table: RunTable,
  { n = 1000, temperature: temperatures, seed, given, to = filesIn(folder).rows }: SampleFlags,
  io: Io,
): Promise<Outcome> => {
  const [temperature = 1, ...more] = temperatures
  if (more.length > 0)
    throw new DiffeoException(usageError('--temperature', 'one number, for rows of a table', temperatures.join()))
  const drawing = {
    n,
    key: seed === undefined ? keysOf(run.config.recipe.seed).sample : key(seed),
    temperature,
    given: given === undefined ? undefined : parseContext(given),
  }
  const counting = { doing: 'drawing', total: n, unit: 'rows' }
  const notFinite = await counted(io.progress, counting)((heard) => writeRows(run, table, to, { ...drawing, heard }))
  io.say(`${n.toLocaleString('en')} rows\n${to}`)
  io.result({ run: folder, checkpoint: run.checkpoint, n, temperature, notFinite, files: [to] })
  requireFinite(`sample ${folder}`, 'samples', n, notFinite)
  return 'done'
}

/** The whole command. */
export const sampleRun = (folder: string, flags: SampleFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    const { flow, params, config, checkpoint } = run
    const table = runTable(config)
    if (table !== undefined) return sampleRows(folder, run, table, flags, io)
    const { temperature: temperatures, seed, to = filesIn(folder).samples } = flags
    const isImage = config.shape.length === 3
    const classes = chosenClasses(flow, flags.given === undefined ? undefined : classList(flags.given))
    const rows = temperatures.length * (classes?.length ?? 1)
    if (flags.n !== undefined && flags.n > MOST)
      throw new DiffeoException(usageError('--n', `an integer from 1 to ${MOST}`, `${flags.n}`))
    const n = flags.n ?? (isImage ? (rows > 1 ? 8 : 64) : 500)
    const columns = rows > 1 ? n : 8
    let notFinite = 0
    const onNotFinite = (count: number): void => {
      notFinite = count
    }
    const seedKey = seed === undefined ? keysOf(config.recipe.seed).sample : key(seed)
    const total = n * rows
    const picture = await counted(io.progress, { doing: 'drawing', total, unit: unitOf(config).things })((heard) =>
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
      'number of samples for each class and temperature (default: 64 images, or 8 for each of several; 500 points; 1000 rows)',
      number('--n', integer(1, MOST_ROWS)),
    )
    .option('--temperature <t,t>', 'sampling temperature, or several', numbers('--temperature', positive), [1])
    .option(
      '--given <what>',
      'classes to draw, for a run with --given labels (default: all, a row each); or name=value of columns, for a table',
    )
    .option('--seed <n>', "random seed (default: the run's)", number('--seed', integer(0, 2 ** 32 - 1)))
    .option(
      '--to <file>',
      'PNG file (default: samples.png in the run); for a table a .csv or .parquet file (samples.csv)',
    )
    .addHelpText(
      'after',
      examples(
        'sample runs/mnist',
        'sample runs/mnist --temperature 0.5,0.7,0.85,1 --to rows.png',
        'sample runs/classes --given 7',
        'sample runs/sales --n 1000 --given region=north --to synthetic.csv',
      ),
    )
    .action((folder: string, flags: SampleFlags, command: Command) =>
      perform((io) => sampleRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
