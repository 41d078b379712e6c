/**
 * The results of a run that was trained to its end.
 *
 * @module
 */
import { basename } from 'node:path'
import { orThrow } from '../../error.js'
import { writePng } from '../../image/png.js'
import { averageParams, type TrainState } from '../../train/state.js'
import { reconstructTo } from '../commands/reconstruct.js'
import { writeReport } from '../commands/report.js'
import { requireFinite } from '../evaluation/finite-results.js'
import { samplePicture } from '../evaluation/pictures.js'
import { writeRows } from '../evaluation/table-samples.js'
import { measure, summaryOf } from '../evaluation/test-results.js'
import { keysOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import type { OpenRun } from '../run/open-run.js'
import { runTable } from '../run/table-run.js'
import { type Io, warnIfFails } from '../terminal/console.js'
import type { Training } from './training-loop.js'

/** Test images that the end of a training classifies; `diffeo evaluate` classifies all. */
const CLASSIFIED = 1000

/** Rows of a table that the end of a training draws. */
const ROWS = 1000

/** Draws samples: a picture, or rows of a table unless they need a context. Returns the paths. */
const writeSamples = async (run: OpenRun, out: string): Promise<readonly string[]> => {
  const { flow, params, config } = run
  const { samples, rows } = filesIn(out)
  const key = keysOf(config.recipe.seed).sample
  const table = runTable(config)
  if (table !== undefined) {
    if ('given' in flow) return []
    await writeRows(run, table, rows, { n: ROWS, key })
    return [rows]
  }
  const options = config.shape.length !== 3 ? { n: 500 } : 'given' in flow ? { n: 8 } : {}
  orThrow(await writePng(samples)(await samplePicture(flow, params, key, options))())
  return [samples]
}

/**
 * Evaluates the averaged parameters, draws pictures and writes the report.
 *
 * @throws DiffeoException with a training error, after all files are written, if a test figure is not finite
 */
export const finish = async (
  { model, engine, config, examples: data, out }: Training,
  state: TrainState,
  withReport: boolean,
  io: Io,
): Promise<void> => {
  const { flow, optimiser } = model
  const params = averageParams(flow, optimiser, state)
  const files = filesIn(out)
  const run = { ...model, config, engine, state, params, checkpoint: basename(files.last) }
  const test = await measure(run, data, io, { folder: out, classified: CLASSIFIED })
  const reconstruction = await reconstructTo(run, data, files.reconstructions, io)
  const samples = await writeSamples(run, out)
  // without the report, the run is still saved and measured
  const report = withReport ? await warnIfFails(() => writeReport(out, run, data, test, io), io) : undefined
  const paths = [files.last, files.evaluation, ...samples, ...reconstruction.files, ...(report ?? [])]
  io.say(paths.join('\n'))
  io.result({
    run: out,
    step: state.step,
    config,
    test: summaryOf(test),
    reconstructionError: reconstruction.largestError,
    files: paths,
  })
  requireFinite(`train ${out}`, 'test examples', test.count, test.notFinite)
}
