/**
 * `diffeo data check`: whether the files of a data set are there and what they should be.
 *
 * @module
 */
import { Argument, type Command } from 'commander'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { integer } from '../codec.js'
import type { DiffeoError } from '../error.js'
import { defaultRecipe } from './config.js'
import { dataConfig } from './configure.js'
import { type GlobalFlags, type Io, type Outcome, perform } from './console.js'
import { dataNames, loadDataSet } from './examples.js'
import { examples, number } from './flags.js'

/** The flags. */
export interface DataFlags {
  readonly data?: string
  readonly size?: number
}

/** The whole command. */
export const checkData = (name: string, flags: DataFlags, io: Io): TE.TaskEither<DiffeoError, Outcome> =>
  pipe(
    loadDataSet(dataConfig(name, flags), defaultRecipe([1, 1, 1])),
    TE.map(({ shape, summary }) => {
      io.say(summary)
      io.result({ data: name, shape, summary })
      return 'done'
    }),
  )

/** Registers the command. */
export const dataCommand = (program: Command): Command =>
  program
    .command('data')
    .description('data sets')
    .command('check')
    .addArgument(new Argument('<data>', 'a data set or a density of the plane').choices(dataNames))
    .description('see whether the files of a data set are there, whole and official')
    .option('--data <folder>', 'where they are')
    .option('--size <n>', 'height and width to crop and resize images to', number('--size', integer(1, 1024)))
    .addHelpText('after', examples('data check mnist', 'data check fashion-mnist --data ~/fashion'))
    .action((name: string, flags: DataFlags, command: Command) =>
      perform((io) => checkData(name, flags, io), command.optsWithGlobals<GlobalFlags>()),
    )
