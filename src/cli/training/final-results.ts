/**
 * The end of a run that was not stopped.
 *
 * @module
 */
import { basename } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, describeError } from '../../error.js'
import { writePng } from '../../image/png.js'
import { averageParams, type TrainState } from '../../train/state.js'
import { reconstructTo } from '../commands/reconstruct.js'
import { writeReport } from '../commands/report.js'
import { samplePicture } from '../evaluation/pictures.js'
import { measure, summaryOf } from '../evaluation/test-results.js'
import { keysOf } from '../run/examples.js'
import { filesIn } from '../run/folder.js'
import type { Io } from '../terminal/console.js'
import type { Training } from './training-loop.js'

/** Test figures, pictures and the report of the averaged parameters. */
export const finish = (
  { model, engine, config, examples: data, out }: Training,
  state: TrainState,
  withReport: boolean,
  io: Io,
): TE.TaskEither<DiffeoError, void> => {
  const { flow, optimiser } = model
  const params = averageParams(flow, optimiser, state)
  const files = filesIn(out)
  const run = { ...model, config, engine, state, params, checkpoint: basename(files.last) }
  const isImage = config.shape.length === 3
  return pipe(
    measure(run, data, io, out),
    TE.bindTo('test'),
    TE.bind('reconstruction', () => reconstructTo(run, data, files.reconstructions, io)),
    TE.tap(() =>
      pipe(
        () => samplePicture(flow, params, keysOf(config.recipe.seed).sample, isImage ? {} : { n: 500 }),
        TE.flatMap(writePng(files.samples)),
      ),
    ),
    TE.bind('report', ({ test }) =>
      pipe(
        withReport ? writeReport(out, run, data, test, io) : TE.right([]),
        // what was trained and measured is there without it
        TE.orElse((error) => {
          io.warn(describeError(error))
          return TE.right<DiffeoError, readonly string[]>([])
        }),
      ),
    ),
    TE.flatMapIO(({ test, reconstruction, report }) => () => {
      const made = [files.last, files.evaluation, files.samples, ...reconstruction.files, ...report]
      io.say(made.join('\n'))
      io.result({
        run: out,
        step: state.step,
        config,
        test: summaryOf(test),
        reconstructionError: reconstruction.largestError,
        files: made,
      })
    }),
  )
}
