/**
 * `diffeo engine`: brings the library of the engine `tensorflow`, lists what is there, removes it.
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
import { examples } from '../flags.js'
import { type GlobalFlags, type Io, type Outcome, perform } from '../terminal/console.js'
import { type Progress, paceOf } from '../terminal/progress.js'

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

/** Tells a line of progress how far a phase is: one after the other, but all downloads as one. */
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

/** A library, and what is in it or why it cannot be opened. */
type Listed = Found & (Inspected | { readonly error: string })

const describe = (listed: Listed): string => {
  const place = `by ${listed.origin}: ${listed.folder}`
  if ('error' in listed) return `tensorflow that cannot be loaded, ${place}: ${listed.error}`
  const lacks = listed.lacks.length === 0 ? '' : `; without ${listed.lacks.join(', ')}`
  return `tensorflow ${listed.version}, ${listed.devices.join(', ')}${lacks}, ${place}`
}

const main = fileURLToPath(new URL('../main.js', import.meta.url))

/** A library in a process of its own: two in one would share their names, and one that crashes takes nothing with it. */
const inspectApart = async (found: Found): Promise<Listed> => {
  const args = [main, '--json', 'engine', 'list', '--folder', found.folder]
  const ended = promisify(execFile)(process.execPath, args)
  const [own] = await ended.then(
    ({ stdout }) => JSON.parse(stdout) as readonly [Listed],
    ({ code, signal }) => [{ error: `the process that loads it ended by ${signal ?? code}` }],
  )
  return { ...own, ...found } as Listed
}

/** The library of a folder, opened in this process. */
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
      if (all.length === 0) say('tensorflow: no library; `npx diffeo engine install` brings one')
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
    .description('bring, list or remove the library of the engine tensorflow')
    .addHelpText('after', examples('engine install', 'engine list', 'engine remove'))
  const act = (run: (io: Io) => Promise<Outcome>) => perform(run, program.opts<GlobalFlags>())
  command
    .command('install')
    .description('download TensorFlow by pip, and keep its libraries in the cache folder (DIFFEO_CACHE moves it)')
    .addArgument(
      new Argument('[package]', 'of PyPI; tensorflow brings the libraries of CUDA too')
        .choices(WHEELS)
        .default('tensorflow-cpu'),
    )
    .option('--wheel <files...>', 'wheels that are there already: nothing is downloaded')
    .option('--dry-run', 'say what would be downloaded')
    .addHelpText('after', examples('engine install --dry-run', 'engine install --wheel tensorflow_cpu.whl'))
    .action((wheel: Wheel, { wheel: from, dryRun }: InstallFlags) =>
      act(dryRun === true ? async (io) => foretell(wheel, from, io) : bring(wheel, from)),
    )
  command
    .command('list')
    .description('what is found, where, its version, devices, and what an old one lacks')
    .option('--folder <path>', 'the library of this folder alone')
    .addHelpText('after', examples('engine list', 'engine list --json'))
    .action(({ folder }: { readonly folder?: string }) => act(list(folder)))
  command
    .command('remove')
    .description('remove what install brought')
    .addHelpText('after', examples('engine remove'))
    .action(() => act(remove))
}
