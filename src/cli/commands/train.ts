/**
 * `diffeo train`: trains within a budget, saves, evaluates on all test examples, and draws. A run that was stopped and
 * resumed has the parameters of one that never stopped. `run/folder.ts` lists the files of a run.
 *
 * @module
 */
import type { Command } from 'commander'
import { disposeState } from '../../train/state.js'
import { dataArgument, namedData } from '../data-argument.js'
import { examples, flagsOf, quoted } from '../flags.js'
import { TABLE } from '../run/examples.js'
import { type Loaded, withFolder } from '../run/folder.js'
import { noLock } from '../run/lock.js'
import { requireBest } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { isChief, joined, unkept } from '../training/cluster.js'
import { type TrainFlags, withTrainOptions } from '../training/flags.js'
import { prepare } from '../training/prepare.js'
import { runTraining } from '../training/run-training.js'
import type { Training } from '../training/training-loop.js'

export type { TrainFlags } from '../training/flags.js'

/** The command line that resumes a run. A model by its name is in the run's configuration; a file is named again. */
const resumeCommand = (name: string, out: string, flags: TrainFlags): string => {
  const file = flags.model?.includes('.') ? { model: flags.model } : {}
  const data = name === TABLE && flags.data !== undefined ? quoted(flags.data) : name
  return `npx diffeo train ${data} --resume${flagsOf({ out, ...file, ...unkept(flags) })}`
}

/** The whole command. */
export const train = async (name: string, flags: TrainFlags, io: Io): Promise<Outcome> => {
  const out = flags.out ?? `runs/${name}`
  const workers = await joined(flags, io)
  const use = async (loaded: Loaded | undefined, lock: Training['lock']): Promise<Outcome> => {
    const prepared = await prepare(name, flags, out, loaded, workers, io)
    const training = { ...prepared.training, lock }
    return runTraining(training, prepared, flags, resumeCommand(name, out, flags), io).finally(() =>
      disposeState(prepared.start),
    )
  }
  if (!isChief(workers)) return use(undefined, noLock)
  const from = flags.resume ? (flags.checkpoint ?? 'last') : undefined
  await requireBest(out, from)
  return withFolder(out, from, io.warn, use)
}

/** Registers the command. */
export const trainCommand = (program: Command): Command =>
  withTrainOptions(
    program.command('train').addArgument(dataArgument()).description('train a flow, evaluate it and draw samples'),
  )
    .addHelpText(
      'after',
      examples(
        'train photos.zip --size 32',
        'train sales.csv',
        'train sales.csv --given region,year --columns share=bounded:0:1 --minutes 2',
        'train mnist --minutes 5 --seed 1 --out runs/one',
        'train mnist --resume --out runs/one',
        'train moons --steps 2000 --couplings 8 --hidden 64,64',
        'train mnist --config runs/one/config.json --out runs/again',
        'train mnist --model ./my-flow.js',
        'train mnist --steps 5000 --workers 10.0.0.1:2222,10.0.0.2:2222 --worker 0',
      ),
    )
    .action((data: string, flags: TrainFlags, command: Command) =>
      perform(async (io) => {
        const named = namedData(data, flags)
        return train(named.name, named.flags, io)
      }, command.optsWithGlobals<GlobalFlags>()),
    )
