/**
 * `diffeo engine`: installs, lists and removes the library of the engine `tensorflow`.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Argument, type Command } from 'commander'
import type { Inspected } from '../../backends/tensorflow/backend.js'
import { type Found, filesIn, findLibraries } from '../../backends/tensorflow/install/find.js'
import { type InstallOptions, install, placeFor, removeInstalled } from '../../backends/tensorflow/install/install.js'
import { megabytes, planOf, VERSION, WHEELS, type Wheel } from '../../backends/tensorflow/install/wheels.js'
import { hasKoffi } from '../../backends/tensorflow/koffi.js'
import { asError, DiffeoException, engineError, orThrow, usageError } from '../../error.js'
import type { Progress } from '../../progress.js'
import { examples } from '../flags.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { paceOf } from '../terminal/progress.js'

/** Prints what a download would be. */
const foretell = (wheel: Wheel, from: readonly string[] | undefined, { say, result }: Io): Outcome => {
  if (from !== undefined)
    throw new DiffeoException(
      usageError('--dry-run', 'something to download', `--wheel ${from}`, 'leave out one of them'),
    )
  const plan = planOf(wheel)
  for (const pin of plan) say(`${pin.name} ${pin.version} (${pin.platform}), ${megabytes([pin])} MB, ${pin.sha256}`)
  say(`${megabytes(plan)} MB to download`)
  result(plan)
  return 'done'
}

/** Shows the phases on a line of progress, one after the other, with all downloads as one phase. */
const phases = (line: Progress): NonNullable<InstallOptions['progress']> => {
  const paces = new Map<string, ReturnType<typeof paceOf>>()
  return (doing, done, total) => {
    const phase = doing.startsWith('downloading ') ? 'downloading' : doing
    const pace = paces.get(phase) ?? paceOf(total, 'MB')
    paces.set(phase, pace)
    line.update(done / total, { doing, pace: pace(done, Math.round(done / 1e6)) })
  }
}

/** Installs the library from pinned wheels, or from those that are named. */
export const bring =
  (wheel: Wheel, from?: readonly string[]) =>
  async ({ say, warn, result, progress, signal, hold }: Io): Promise<Outcome> => {
    const source = { wheel, ...(from === undefined ? {} : { from }) }
    orThrow(placeFor(source))
    const release = hold('stopping (again: at once)')
    say(`${wheel} ${from === undefined ? `${VERSION}, ${megabytes(planOf(wheel))} MB to download` : `from ${from}`}`)
    const line = progress('{bar} {percentage}% {doing}: {pace}', 1, { doing: 'starting', pace: '0 MB' })
    try {
      const folder = orThrow(await install({ ...source, signal, progress: phases(line) })())
      say(`${folder}\n${(await hasKoffi()) ? '' : 'run `npm install koffi`, then '}use it with --engine tensorflow`)
      result({ folder })
      return 'done'
    } catch (thrown) {
      asError(thrown)
      if (!signal.aborted) throw thrown
      warn('stopped; nothing was installed')
      return 'stopped'
    } finally {
      line.stop()
      release()
    }
  }

/** A library, with its contents or the reason why it cannot be opened. */
type Listed = Found & (Inspected | { readonly error: string })

const describe = (listed: Listed): string => {
  const place = `by ${listed.origin}: ${listed.folder}`
  if ('error' in listed) return `tensorflow that cannot be loaded, ${place}: ${listed.error}`
  const lacks = listed.lacks.length === 0 ? '' : `; without ${listed.lacks.join(', ')}`
  return `tensorflow ${listed.version}, ${listed.devices.join(', ')}${lacks}, ${place}`
}

const main = fileURLToPath(new URL('../main.js', import.meta.url))

/** Inspects a library in a process of its own: two in one process would share their names, and a crash stays there. */
const inspectApart = async (found: Found): Promise<Listed> => {
  const args = [main, '--json', 'engine', 'list', '--folder', found.folder]
  const ended = promisify(execFile)(process.execPath, args)
  const [own] = await ended.then(
    ({ stdout }) => JSON.parse(stdout) as readonly [Listed],
    ({ code, signal }) => [{ error: `the process that loads it ended by ${signal ?? code}` }],
  )
  return { ...own, ...found } as Listed
}

/** Inspects the library of a folder in this process. */
const inspectHere = async (folder: string): Promise<Listed> => {
  const files = filesIn(folder)
  if (files === undefined)
    throw new DiffeoException(usageError('--folder', 'a folder with the library of TensorFlow', folder))
  const found: Found = { ...files, origin: '--folder', folder }
  const { inspect } = await import('../../backends/tensorflow/backend.js')
  return inspect(found).then(
    (own) => ({ ...found, ...own }),
    (reason: Error) => ({ ...found, error: reason.message.split('\n')[0]! }),
  )
}

const list =
  (folder: string | undefined) =>
  async ({ say, result }: Io): Promise<Outcome> => {
    try {
      const all =
        folder === undefined
          ? await Promise.all(findLibraries().map(inspectApart))
          : [await inspectHere(resolve(folder))]
      if (all.length === 0) say('tensorflow: no library; `npx diffeo engine install` installs one')
      for (const listed of all) say(describe(listed))
      result(all)
      return 'done'
    } catch (thrown) {
      if (thrown instanceof DiffeoException) throw thrown
      throw new DiffeoException(engineError('engine list', 'a library that loads', String(thrown).split('\n')[0]!))
    }
  }

const remove = async ({ say, result }: Io): Promise<Outcome> => {
  const folders = orThrow(await removeInstalled()())
  for (const folder of folders) say(`removed ${folder}`)
  if (folders.length === 0) say('nothing is installed')
  result(folders)
  return 'done'
}

interface InstallFlags {
  readonly wheel?: readonly string[]
  readonly dryRun?: boolean
}

/** Registers the command. */
export const engineCommand = (program: Command): void => {
  const command = program
    .command('engine')
    .description('install, list or remove the library of the engine tensorflow')
    .addHelpText('after', examples('engine install', 'engine list', 'engine remove'))
  const act = (run: (io: Io) => Promise<Outcome>) => perform(run, program.opts<GlobalFlags>())
  command
    .command('install')
    .description('download TensorFlow with pip into the cache folder (which DIFFEO_CACHE sets)')
    .addArgument(
      new Argument('[package]', 'package of PyPI; tensorflow includes the libraries of CUDA')
        .choices(WHEELS)
        .default('tensorflow-cpu'),
    )
    .option('--wheel <files...>', 'local wheels to install instead of a download')
    .option('--dry-run', 'list of what would be downloaded, without the download')
    .addHelpText('after', examples('engine install --dry-run', 'engine install --wheel tensorflow_cpu.whl'))
    .action((wheel: Wheel, { wheel: from, dryRun }: InstallFlags) =>
      act(dryRun === true ? async (io) => foretell(wheel, from, io) : bring(wheel, from)),
    )
  command
    .command('list')
    .description('list the libraries found, with version, devices and missing functions')
    .option('--folder <path>', 'folder of the only library to list')
    .addHelpText('after', examples('engine list', 'engine list --json'))
    .action(({ folder }: { readonly folder?: string }) => act(list(folder)))
  command
    .command('remove')
    .description('remove the installed libraries')
    .addHelpText('after', examples('engine remove'))
    .action(() => act(remove))
}
