/**
 * The command `diffeo`: the table of its commands, and nothing more.
 *
 * @module
 */
import completion from '@bomb.sh/tab/commander'
import { Command, CommanderError } from 'commander'
import { DiffeoException } from '../error.js'
import { version } from './about.js'
import { dataCommand } from './commands/data.js'
import { engineCommand } from './commands/engine.js'
import { evaluateCommand } from './commands/evaluate.js'
import { exportCommand } from './commands/export.js'
import { inspectCommand } from './commands/inspect.js'
import { interpolateCommand } from './commands/interpolate.js'
import { reconstructCommand } from './commands/reconstruct.js'
import { reportCommand } from './commands/report.js'
import { sampleCommand } from './commands/sample.js'
import { trainCommand } from './commands/train.js'
import { fail, type GlobalFlags } from './console.js'

/** In the order of the help. */
const commands: readonly ((program: Command) => unknown)[] = [
  trainCommand,
  evaluateCommand,
  sampleCommand,
  reconstructCommand,
  interpolateCommand,
  inspectCommand,
  reportCommand,
  exportCommand,
  dataCommand,
  engineCommand,
]

const programOf = (): Command => {
  const program = new Command('diffeo')
    .description('normalizing flows whose tensor shapes the compiler checks')
    .version(version)
    .option('--json', 'one JSON document on stdout instead of lines')
    .option('--no-color', 'no colours, as with the environment variable NO_COLOR')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'diffeo: ')) })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
  for (const register of commands) register(program)
  completion(program)
  return program
}

/** Does what a command line says, and sets the exit code. */
export const run = async (argv: readonly string[]): Promise<void> => {
  const program = programOf()
  try {
    await program.parseAsync(argv)
  } catch (thrown) {
    if (thrown instanceof DiffeoException) fail(thrown.error, program.opts<GlobalFlags>())
    else if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode
    else throw thrown
  }
}
