/**
 * `diffeo score`: the log-likelihood of the rows of a file, under a run on a table. The file may be of any size: its rows
 * are scored and written in batches.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import * as t from 'io-ts'
import { finite } from '../../codec.js'
import { DiffeoException, orThrow, usageError } from '../../error.js'
import { readBytes, writeFileAtomic } from '../../file.js'
import { openTable } from '../../table/source.js'
import { fittedRows } from '../../table/table.js'
import { logSteps, rowsOf } from '../../table/view.js'
import { csvText } from '../../table/write.js'
import { foldIn } from '../../tensor/random.js'
import { product } from '../../tensor/shape.js'
import { valueAtShare } from '../../train/anomaly.js'
import { examples, number, quoted, withRunOptions } from '../flags.js'
import { keysOf } from '../run/examples.js'
import { decodeJson, filesIn } from '../run/folder.js'
import { type RunFlags, withRun } from '../run/open-run.js'
import { AT_ONCE, openRows, runTable } from '../run/table-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'

/** The flags. */
interface ScoreFlags extends RunFlags {
  readonly to?: string
  readonly missing?: 'refuse' | 'drop'
  readonly falseAlarms?: number
}

/** What scores need of `evaluation.json`. A figure that is not finite is null there. */
const HeldOut = t.type({ each: t.array(t.union([t.number, t.null])) })

/** The log-likelihoods of held-out rows, ascending; none, if the run was not evaluated. */
const heldOut = async (folder: string): Promise<Float64Array | undefined> => {
  const { evaluation } = filesIn(folder)
  if (!existsSync(evaluation)) return undefined
  const bytes = orThrow(await readBytes(evaluation)())
  const fix = `write it again: diffeo evaluate ${quoted(folder)}`
  const { each } = decodeJson(evaluation, { codec: HeldOut, what: 'test figures', root: 'figures', fix }, bytes)
  const logProbs = Float64Array.from(each.flatMap((nats) => (nats === null ? [] : [-nats]))).sort()
  return logProbs.length === 0 ? undefined : logProbs
}

/** The share of ascending numbers below a value. */
const shareBelow = (ascending: Float64Array, value: number): number => {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! < value) low = middle + 1
    else high = middle
  }
  return low / ascending.length
}

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
    const threshold = held === undefined ? undefined : valueAtShare(held, falseAlarms)
    const source = await openTable(path)
    const dimensions = product(run.flow.bijector.domain)
    const bound = logSteps(table.view)
    const pick = rowsOf(table.columns, table.view)
    const width = table.columns.length
    const noise = keysOf(run.config.recipe.seed).test
    const columns = ['row', 'log_prob', 'bits_per_column', ...(held === undefined ? [] : ['percentile', 'is_anomaly'])]
    let [count, skipped, flagged, sum] = [0, 0, 0, 0]
    const cellsOf = (row: number, log: number): readonly number[] => {
      count += 1
      sum += log
      const bits = -(log + bound) / (dimensions * Math.LN2)
      const cells = [row, Number(log.toPrecision(7)), Number(bits.toPrecision(6))]
      if (held === undefined || threshold === undefined) return cells
      // NaN is an anomaly
      const isAnomaly = !(log >= threshold)
      if (isAnomaly) flagged += 1
      return [...cells, Number((100 * shareBelow(held, log)).toPrecision(4)), Number(isAnomaly)]
    }
    const rows = openRows(run)
    const lines = async function* (): AsyncGenerator<string> {
      yield csvText({ columns, rows: [] })
      for await (const batch of fittedRows(source, table.columns, missing === 'drop' ? 'keep' : 'refuse'))
        for (let from = 0; from < batch.count; from += AT_ONCE) {
          if (io.signal.aborted) throw new DiffeoException(usageError('score', 'to finish', 'a signal', 'run it again'))
          const size = Math.min(AT_ONCE, batch.count - from)
          const isWhole = (row: number): boolean =>
            !batch.values.subarray(row * width, (row + 1) * width).some(Number.isNaN)
          const places = Uint32Array.from({ length: size }, (_, i) => from + i).filter(isWhole)
          skipped += size - places.length
          if (places.length === 0) continue
          const { x, given } = pick(batch.values, places, foldIn(noise, batch.from + from))
          const scores = await rows.score(x, given)
          const cells = Array.from(places, (place, i) => cellsOf(batch.from + place, scores[i]!))
          yield csvText({ columns, rows: cells }, false)
        }
    }
    orThrow(await writeFileAtomic(to)(lines())().finally(rows.dispose))
    if (skipped > 0) io.warn(`${skipped.toLocaleString('en')} rows with missing values have no score`)
    const alarms =
      threshold === undefined
        ? ''
        : `; ${flagged.toLocaleString('en')} below ${threshold.toFixed(3)} nats, as ${(100 * falseAlarms).toPrecision(2)} % of held-out rows are`
    const mean = sum / Math.max(1, count)
    io.say(`${count.toLocaleString('en')} rows, mean log-likelihood ${mean.toFixed(3)} nats${alarms}`)
    io.say(to)
    io.result({
      run: folder,
      checkpoint: run.checkpoint,
      count,
      skipped,
      mean,
      ...(threshold !== undefined && { threshold, flagged, falseAlarms }),
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
