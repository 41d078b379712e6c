/**
 * `diffeo score`: the log-likelihood of the rows of a file, under a run on a table. The file may be of any size: its rows
 * are scored and written in batches.
 *
 * @module
 */
import { createWriteStream, existsSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { type Command, Option } from 'commander'
import Papa from 'papaparse'
import { finite } from '../../codec.js'
import { DiffeoException, usageError } from '../../error.js'
import { fileFailure } from '../../file.js'
import { openTable } from '../../table/source.js'
import { fittedRows } from '../../table/table.js'
import { logSteps, rowsOf } from '../../table/view.js'
import { foldIn } from '../../tensor/random.js'
import { product } from '../../tensor/shape.js'
import { examples, number, withRunOptions } from '../flags.js'
import { keysOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import { type RunFlags, withRun } from '../run/open-run.js'
import { AT_ONCE, openRows, runTable } from '../run/table-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'

/** The flags. */
interface ScoreFlags extends RunFlags {
  readonly to?: string
  readonly missing?: 'refuse' | 'drop'
  readonly falseAlarms?: number
}

/** The log-likelihoods of held-out rows, ascending; none, if the run was not evaluated. */
const heldOut = async (folder: string): Promise<Float64Array | undefined> => {
  const { evaluation } = filesIn(folder)
  if (!existsSync(evaluation)) return undefined
  const { each } = JSON.parse(await readFile(evaluation, 'utf8')) as { readonly each?: readonly unknown[] }
  const known = each?.filter((value): value is number => typeof value === 'number')
  return known === undefined || known.length === 0 ? undefined : Float64Array.from(known, (nats) => -nats).sort()
}

/** The share of ascending numbers below a value. */
export const shareBelow = (ascending: Float64Array, value: number): number => {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! < value) low = middle + 1
    else high = middle
  }
  return low / ascending.length
}

/** The log-likelihood below which a share of held-out rows lies. */
export const thresholdAt = (ascending: Float64Array, falseAlarms: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(falseAlarms * ascending.length))]!

/** The whole command. */
export const scoreRun = (folder: string, path: string, flags: ScoreFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    const table = runTable(run.config)
    if (table === undefined)
      throw new DiffeoException(
        usageError('score', 'a run on a table', `one on ${run.config.data.name}`, 'use evaluate for images'),
      )
    const { to = path.replace(/(\.\w+)?(\.gz)?$/, '.scores.csv'), missing, falseAlarms = 0.01 } = flags
    const held = await heldOut(folder)
    const threshold = held && thresholdAt(held, falseAlarms)
    const source = await openTable(path)
    const dimensions = product(run.flow.bijector.domain)
    const bound = logSteps(table.view)
    const pick = rowsOf(table.columns, table.view)
    const rows = openRows(run)
    const noise = keysOf(run.config.recipe.seed).test
    // written beside the file and renamed, so that a failure leaves no half of it
    const partial = `${to}.partial`
    const out = createWriteStream(partial)
    let failure: unknown
    out.on('error', (thrown) => {
      failure = thrown
    })
    const write = async (text: string): Promise<void> => {
      if (failure !== undefined) throw new DiffeoException(fileFailure('write', to)(failure))
      if (!out.write(text))
        await new Promise<void>((resolve) => out.once('drain', resolve).once('error', () => resolve()))
    }
    let [count, skipped, flagged, sum] = [0, 0, 0, 0]
    const hasPercentiles = held !== undefined && threshold !== undefined
    try {
      await write(`row,log_prob,bits_per_column${hasPercentiles ? ',percentile,is_anomaly' : ''}\n`)
      for await (const batch of fittedRows(source, table.columns, missing === 'drop' ? 'keep' : 'refuse'))
        for (let from = 0; from < batch.count; from += AT_ONCE) {
          const size = Math.min(AT_ONCE, batch.count - from)
          const width = table.columns.length
          const isWhole = (row: number): boolean =>
            !batch.values.subarray(row * width, (row + 1) * width).some(Number.isNaN)
          const places = Uint32Array.from({ length: size }, (_, i) => from + i).filter(isWhole)
          skipped += size - places.length
          if (places.length === 0) continue
          const { x, given } = pick(batch.values, places, foldIn(noise, batch.from + from))
          const scores = await rows.score(x, given)
          const lines = Array.from(places, (place, i) => {
            const log = scores[i]!
            const isAnomaly = hasPercentiles && !(log >= threshold)
            if (isAnomaly) flagged += 1
            sum += log
            return [
              batch.from + place,
              Number(log.toPrecision(7)),
              Number((-(log + bound) / (dimensions * Math.LN2)).toPrecision(6)),
              ...(hasPercentiles ? [Number((100 * shareBelow(held, log)).toPrecision(4)), isAnomaly ? 1 : 0] : []),
            ]
          })
          count += places.length
          await write(`${Papa.unparse(lines, { newline: '\n' })}\n`)
          if (io.signal.aborted) throw new DiffeoException(usageError('score', 'to finish', 'a signal', 'run it again'))
        }
      out.end()
      await finished(out).catch((thrown: unknown) => {
        throw new DiffeoException(fileFailure('write', to)(thrown))
      })
      await rename(partial, to)
    } catch (thrown) {
      out.destroy()
      await rm(partial, { force: true })
      throw thrown
    } finally {
      await rows.dispose()
    }
    if (skipped > 0) io.warn(`${skipped.toLocaleString('en')} rows with missing values have no score`)
    const alarms = hasPercentiles
      ? `; ${flagged.toLocaleString('en')} below ${threshold.toFixed(3)} nats, as ${(100 * falseAlarms).toPrecision(2)} % of held-out rows are`
      : ''
    io.say(
      `${count.toLocaleString('en')} rows, mean log-likelihood ${(sum / Math.max(1, count)).toFixed(3)} nats${alarms}`,
    )
    io.say(to)
    io.result({
      run: folder,
      checkpoint: run.checkpoint,
      count,
      skipped,
      mean: sum / Math.max(1, count),
      ...(hasPercentiles && { threshold, flagged, falseAlarms }),
      files: [to],
    })
    return 'done'
  })

/** Registers the command. */
export const scoreCommand = (program: Command): Command =>
  withRunOptions(
    program.command('score').argument('<run>', 'folder of a run on a table').argument('<table>', 'file of rows'),
  )
    .description('write the log-likelihood of each row of a file, and which rows are anomalies')
    .option('--to <file>', 'CSV file (default: <table>.scores.csv)')
    .addOption(new Option('--missing <what>', 'rows that lack values (default: refuse)').choices(['refuse', 'drop']))
    .option(
      '--false-alarms <share>',
      'share of held-out rows below the threshold of anomalies (default: 0.01)',
      number('--false-alarms', finite(0, 1)),
    )
    .addHelpText(
      'after',
      examples('score runs/sales new.csv', 'score runs/sales new.csv --false-alarms 0.001 --to scores.csv'),
    )
    .action((run: string, path: string, flags: ScoreFlags, command: Command) =>
      perform((io) => scoreRun(run, path, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
