/**
 * `diffeo engine`: brings the library of the engine `tensorflow`, lists what is there, removes it.
 *
 * @module
 */
import { Argument, type Command } from 'commander'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { findLibraries, VERSION, WHEELS, type Wheel } from '../engine/tensorflow/find.js'
import { install, removeInstalled } from '../engine/tensorflow/install.js'
import { type DiffeoError, DiffeoException, engineError } from '../error.js'
import { type GlobalFlags, type Io, type Outcome, perform } from './console.js'

type Task = TE.TaskEither<DiffeoError, Outcome>

const bring =
  (wheel: Wheel, from: string | undefined) =>
  ({ say, warn, result, progress, signal, hold }: Io): Task => {
    const release = hold()
    say(`${wheel} ${VERSION}${from === undefined ? ', about 270 MB to download' : ` from ${from}`}`)
    const line = progress('{bar} {doing} {percentage}%', 1, { doing: 'starting' })
    return pipe(
      install({
        wheel,
        ...(from === undefined ? {} : { from }),
        signal,
        progress: (doing, done, total) => line.update(done / total, { doing }),
      }),
      TE.map((folder): Outcome => {
        say(`${folder}\nuse it with --engine tensorflow`)
        result({ folder })
        return 'done'
      }),
      TE.orElse((error) => {
        if (!signal.aborted) return TE.left(error)
        warn('stopped; nothing was installed')
        return TE.right('stopped' as Outcome)
      }),
      TE.tapIO(() => line.stop),
      TE.tapIO(() => release),
    )
  }

/** What an older library lacks. */
const lacks = (version: string): string => {
  const [, minor = 0] = version.split('.').map(Number)
  return minor < 12 ? '; older than 2.12: no bf16 by --precision' : ''
}

/** One library after another: two in one process would share their names, so only the best is opened. */
const list = ({ say, result }: Io): Task =>
  pipe(
    TE.tryCatch(
      async () => {
        const [best, ...others] = findLibraries()
        if (best === undefined) {
          say('tensorflow: no library; `npx diffeo engine install` brings one')
          result([])
          return 'done' as const
        }
        const { inspect } = await import('../engine/tensorflow.js')
        const own = await inspect(best)
        say(
          `tensorflow ${own.version}, ${own.devices.join(', ')}, by ${best.origin}: ${best.folder}${lacks(own.version)}`,
        )
        for (const { origin, folder } of others) say(`also there, by ${origin}: ${folder}`)
        result([{ ...best, ...own }, ...others])
        return 'done' as const
      },
      (reason) =>
        reason instanceof DiffeoException
          ? reason.error
          : engineError('engine list', 'a library that loads', String(reason).split('\n')[0]!),
    ),
  )

const remove = ({ say, result }: Io): Task =>
  pipe(
    removeInstalled(),
    TE.map((folders): Outcome => {
      for (const folder of folders) say(`removed ${folder}`)
      if (folders.length === 0) say('nothing is installed')
      result(folders)
      return 'done'
    }),
  )

/** Registers the command. */
export const engineCommand = (program: Command): void => {
  const command = program.command('engine').description('bring, list or remove the library of the engine tensorflow')
  const act = (task: (io: Io) => Task) => perform(task, program.opts<GlobalFlags>())
  command
    .command('install')
    .description('download TensorFlow by pip, and keep its libraries in the cache folder (DIFFEO_CACHE moves it)')
    .addArgument(new Argument('[wheel]', 'which of the packages of PyPI').choices(WHEELS).default('tensorflow-cpu'))
    .option('--wheel <file>', 'a wheel that is there already: nothing is downloaded')
    .addHelpText('after', '\nExamples:\n  diffeo engine install\n  diffeo engine install --wheel tensorflow_cpu.whl')
    .action((wheel: Wheel, { wheel: from }: { readonly wheel?: string }) => act(bring(wheel, from)))
  command
    .command('list')
    .description('what is found, where, its version and devices')
    .action(() => act(list))
  command
    .command('remove')
    .description('remove what install brought')
    .action(() => act(remove))
}
