/**
 * `diffeo evaluate`: the figures of a run on all test examples, in evaluation mode.
 *
 * @module
 */
import type { Command } from 'commander'
import { requireFinite } from '../evaluation/finite-results.js'
import { measure, summaryOf } from '../evaluation/test-results.js'
import { examples, withDataOptions } from '../flags.js'
import { examplesOf, type RunFlags, withRun } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'

/** The whole command. */
export const evaluateRun = (folder: string, flags: RunFlags, io: Io): Promise<Outcome> =>
  withRun(folder, flags, io, async (run): Promise<Outcome> => {
    const evaluated = await measure(run, await examplesOf(run, flags), io, { folder })
    io.result({ run: folder, ...summaryOf(evaluated) })
    requireFinite(`evaluate ${folder}`, 'test examples', evaluated.count, evaluated.notFinite)
    return 'done'
  })

/** Registers the command. */
export const evaluateCommand = (program: Command): Command =>
  withDataOptions(program.command('evaluate <run>'))
    .description('evaluate a run on all test examples')
    .addHelpText('after', examples('evaluate runs/mnist', 'evaluate runs/mnist --checkpoint best --json'))
    .action((folder: string, flags: RunFlags, command: Command) =>
      perform((io) => evaluateRun(folder, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
