/**
 * The command `diffeo`: the table of its commands, and the one place that catches their errors.
 *
 * @module
 */
import { Command, CommanderError } from 'commander'
import { leave } from '../backends/tensorflow/workers.js'
import { type DiffeoError, DiffeoException, usageError } from '../error.js'
import { printableLines } from '../printable.js'
import { dataCommand } from './commands/data.js'
import { engineCommand } from './commands/engine.js'
import { evaluateCommand } from './commands/evaluate.js'
import { exportCommand } from './commands/export.js'
import { inspectCommand } from './commands/inspect.js'
import { interpolateCommand } from './commands/interpolate.js'
import { reconstructCommand } from './commands/reconstruct.js'
import { reportCommand } from './commands/report.js'
import { sampleCommand } from './commands/sample.js'
import { scoreCommand } from './commands/score.js'
import { trainCommand } from './commands/train.js'
import { examples } from './flags.js'
import { version } from './run/about.js'
import { withCompletion } from './terminal/completion.js'
import { checkOutput, crash, fail, type GlobalFlags } from './terminal/console.js'
import { guardOutput, writeRaw } from './terminal/output.js'

/** The commands, in the order of the help. */
const commands: readonly ((program: Command) => unknown)[] = [
  trainCommand,
  evaluateCommand,
  sampleCommand,
  scoreCommand,
  reconstructCommand,
  interpolateCommand,
  inspectCommand,
  reportCommand,
  exportCommand,
  dataCommand,
  engineCommand,
]

/** Builds the program with all commands. */
export const programOf = (): Command => {
  const program: Command = new Command('diffeo')
    .description('normalizing flows whose tensor shapes the compiler checks')
    .version(version)
    .option('--json', 'one JSON document on stdout instead of text')
    .option('--no-color', 'no colours, as with the environment variable NO_COLOR')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'diffeo: ')),
      writeOut: (text) => writeRaw(process.stdout, printableLines(text)),
      // with --json `run` says it
      writeErr: (text) =>
        void (program.opts<GlobalFlags>().json === true || writeRaw(process.stderr, printableLines(text))),
    })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      examples('train moons --minutes 1', 'evaluate runs/moons', 'sample runs/moons --n 200', 'train --help'),
    )
    .exitOverride()
  for (const register of commands) register(program)
  withCompletion(program)
  program.commands
    .find((command) => command.name() === 'complete')
    ?.description('print a script that completes commands and flags in a shell')
    .addHelpText('after', examples('complete bash > diffeo.bash', 'complete fish | source'))
  return program
}

/** An error of commander in the form of all others. Where the command is missing, commander has printed the help. */
const refusal = ({ code, message }: CommanderError): DiffeoError => {
  const [got = '', more = ''] = message.replace(/^error: /, '').split('\n')
  const [, near] = /^\(Did you mean (.*)\?\)$/.exec(more) ?? []
  return code === 'commander.help'
    ? usageError('diffeo', 'a command', 'none', 'choose one of those that --help lists')
    : usageError('diffeo', 'a command line as in --help', got, ...(near === undefined ? [] : [`try ${near}`]))
}

/** Runs a command line: the one place where errors are caught, printed, and turned into an exit code. */
export const run = async (argv: readonly string[]): Promise<void> => {
  guardOutput()
  const program = programOf()
  try {
    await program.parseAsync(argv)
  } catch (thrown) {
    const flags = program.opts<GlobalFlags>()
    if (thrown instanceof DiffeoException) fail(thrown.error, flags)
    else if (thrown instanceof CommanderError) {
      if (flags.json === true && thrown.exitCode !== 0) fail(refusal(thrown), flags)
      process.exitCode = thrown.exitCode
    } else crash(thrown)
  }
  await checkOutput(program.opts<GlobalFlags>())
  leave()
}
