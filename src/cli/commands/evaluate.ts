/**
 * `diffeo evaluate`: the figures of a run on all test examples, in evaluation mode.
 *
 * @module
 */
import type { Command } from 'commander'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { DiffeoError } from '../../error.js'
import { allFinite } from '../evaluation/finite-results.js'
import { measure, summaryOf } from '../evaluation/test-results.js'
import { examples, withDataOptions } from '../flags.js'
import { examplesOf, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'

/** The whole command. */
export const evaluateRun = (folder: string, flags: RunFlags, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  withRun(folder, flags, io, (run) =>
    pipe(
      examplesOf(run, flags),
      TE.flatMap((data) => measure(run, data, io, folder)),
      TE.flatMapEither((evaluated) => {
        io.result({ run: folder, ...summaryOf(evaluated) })
        return allFinite(`evaluate ${folder}`, 'test examples', evaluated.count, evaluated.notFinite)
      }),
    ),
  )

/** Registers the command. */
export const evaluateCommand = (program: Command): Command =>
  withDataOptions(program.command('evaluate <run>'))
    .description('measure a run on all test examples')
    .addHelpText('after', examples('evaluate runs/mnist', 'evaluate runs/mnist --checkpoint best --json'))
    .action((folder: string, flags: RunFlags, command: Command) =>
      perform((io) => evaluateRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
