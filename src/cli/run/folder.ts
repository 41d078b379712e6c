/**
 * The folder of a run:
 *
 *   config.json          everything that decides its numbers     `train … --config` makes the same run of it
 *   metrics.jsonl        how it went, a line for each ten steps and each validation
 *   last.safetensors     the newest checkpoint                    best.safetensors   that of the best validation
 *   evaluation.json      test figures, and those of every example
 *   about.json           which commands trained it, on what
 *   samples.png, …       pictures                                 progress/     samples as it learned
 *   curves.svg, .png     loss                                     histogram.svg, .png     of the test figures
 *   plane.svg, .png      of points; of images temperatures.png, samples at four, and scales.png, what each scale holds
 *   report.html          all of it on one page                    events.out.…  for TensorBoard
 *   lock                 the process that trains there
 *
 * Every file is whole or as it was before. If the newest checkpoint cannot be read, the other is used, and said so.
 *
 * @module
 */
import { existsSync, renameSync } from 'node:fs'
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, describeError, fileError, formatError, orThrow, usageError } from '../../error.js'
import { fileFailure, readBytes, writeFileAtomic } from '../../file.js'
import { type Checkpoint, loadCheckpoint } from '../../train/checkpoint.js'
import { decodeWith } from '../../train/safetensors.js'
import { RunConfig } from './config.js'
import { type FolderLock, lockFolder } from './lock.js'

/** The files of a run's folder. */
export const filesIn = (folder: string) => ({
  config: join(folder, 'config.json'),
  metrics: join(folder, 'metrics.jsonl'),
  last: join(folder, 'last.safetensors'),
  best: join(folder, 'best.safetensors'),
  /** Where the first version kept its only one. */
  only: join(folder, 'checkpoint.safetensors'),
  evaluation: join(folder, 'evaluation.json'),
  about: join(folder, 'about.json'),
  /** A folder of samples, each named by its step. */
  progress: join(folder, 'progress'),
  report: join(folder, 'report.html'),
  /** The same plot, as lines and as pixels. */
  plots: (name: string) => [join(folder, `${name}.svg`), join(folder, `${name}.png`)] as const,
  events: join(folder, 'events.out.tfevents.diffeo'),
  samples: join(folder, 'samples.png'),
  reconstructions: join(folder, 'reconstructions.png'),
  interpolations: join(folder, 'interpolations.png'),
})

// -------------------------------------------------------------------------------------
// configuration
// -------------------------------------------------------------------------------------

/** More than any configuration has. */
const LARGEST = 1_000_000

/** A configuration from the bytes of its file. */
export const decodeConfig =
  (path: string) =>
  (bytes: Uint8Array): E.Either<DiffeoError, RunConfig> =>
    pipe(
      J.parse(new TextDecoder().decode(bytes)),
      E.mapLeft(() => formatError(path, 'a configuration in JSON', 'other text', "use a run's config.json")),
      E.flatMap(decodeWith(path, 'config', RunConfig, "start from a run's config.json")),
    )

/** Reads `--config`. */
export const readConfig = (path: string): TE.TaskEither<DiffeoError, RunConfig> =>
  pipe(readBytes(path, LARGEST), TE.flatMapEither(decodeConfig(path)))

export const writeJson =
  (path: string) =>
  (value: unknown): TE.TaskEither<DiffeoError, void> =>
    pipe(Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`), writeFileAtomic(path))

// -------------------------------------------------------------------------------------
// checkpoints
// -------------------------------------------------------------------------------------

export type Saved = Checkpoint<RunConfig>

/** Which checkpoint to take first. */
export type Which = 'last' | 'best'

/** A checkpoint whose every parameter is a number: another one could not be used for anything. */
const loadWhole = (path: string): TE.TaskEither<DiffeoError, Saved> =>
  pipe(
    loadCheckpoint(path, RunConfig),
    TE.filterOrElse(
      ({ tensors }) => [...tensors.values()].every(({ data }) => data.every(Number.isFinite)),
      ({ tensors }) => {
        const [name = ''] = [...tensors].find(([, { data }]) => !data.every(Number.isFinite)) ?? []
        return formatError(path, 'parameters that are finite numbers', `others in ${name}`, 'go back to a copy of it')
      },
    ),
  )

/** What was read, and what had to be passed over. */
export interface Loaded {
  readonly saved: Saved
  readonly damaged: readonly { readonly path: string; readonly error: DiffeoError }[]
}

/** The checkpoint of a run, or the next one that can be read. */
export const loadSaved = (folder: string, which: Which = 'last'): TE.TaskEither<DiffeoError, Loaded> => {
  const { last, best, only } = filesIn(folder)
  const all = (which === 'last' ? [last, best, only] : [best, last, only]).filter((path) => existsSync(path))
  const from = (places: readonly string[], damaged: Loaded['damaged']): TE.TaskEither<DiffeoError, Loaded> => {
    const [path, ...rest] = places
    return path === undefined
      ? TE.left(
          damaged[0]?.error ??
            fileError(`run ${folder}`, 'a checkpoint', 'none', 'name the folder of a run: `diffeo train` makes one'),
        )
      : pipe(
          loadWhole(path),
          TE.map((saved) => ({ saved, damaged })),
          TE.orElse((error) => from(rest, [...damaged, { path, error }])),
        )
  }
  return from(all, [])
}

/** What to tell of checkpoints that were passed over. */
export const toldOf = ({ saved, damaged }: Loaded): readonly string[] =>
  damaged.map(({ error }) => `${describeError(error)}\ninstead: ${saved.path}, step ${saved.step}`)

/** Puts aside what could not be read, so that nothing is written over it. */
const putAside = ({ damaged }: Loaded): E.Either<DiffeoError, unknown> =>
  pipe(
    damaged,
    E.traverseArray(({ path }) => E.tryCatch(() => renameSync(path, `${path}.damaged`), fileFailure('write', path))),
  )

/** The name and number of 32 bits under which `writeFileAtomic` begins a file; not a copy that someone named by a date. */
const BEGUN = /^(.+)\.(?!(?:19|20)\d{6}$)\d{7,10}$/

/**
 * Takes away what a killed process had begun to write, and pictures of steps that are taken again. Only of what is written
 * with the lock held: another command may be writing the rest just now.
 */
const tidy = (out: string, step: number): TE.TaskEither<DiffeoError, void> =>
  TE.tryCatch(
    async () => {
      const { progress, last, best, config, metrics, about } = filesIn(out)
      const begunAs = (name: string): string | undefined => BEGUN.exec(name)?.[1]
      const isBegun = (name: string): boolean =>
        [last, best, config, metrics, about].includes(join(out, begunAs(name) ?? ''))
      const isStale = (name: string): boolean =>
        /^\d+\.png$/.test(begunAs(name) ?? '') || Number(/^(\d+)\.png$/.exec(name)?.[1]) > step
      const filesOf = async (folder: string): Promise<readonly string[]> =>
        (await readdir(folder, { withFileTypes: true })).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
      const [own, drawn] = await Promise.all([filesOf(out), filesOf(progress).catch(() => [])])
      const gone = [
        ...own.filter(isBegun).map((name) => join(out, name)),
        ...drawn.filter(isStale).map((name) => join(progress, name)),
      ]
      await Promise.all(gone.map((path) => rm(path, { force: true })))
    },
    fileFailure('write', out),
  )

/** Keeps the last state, where a run goes on from an earlier one. */
const keepLast = (out: string, { saved }: Loaded): E.Either<DiffeoError, unknown> => {
  const { last } = filesIn(out)
  return E.tryCatch(
    () => {
      if (saved.path !== last && existsSync(last)) renameSync(last, `${last}.before`)
    },
    fileFailure('write', last),
  )
}

/** Makes the folder of a run that goes on fit to be written to. */
export const takeUp = (out: string, loaded: Loaded): TE.TaskEither<DiffeoError, void> =>
  pipe(
    TE.fromEither(putAside(loaded)),
    TE.tap(() => TE.fromEither(keepLast(out, loaded))),
    TE.flatMap(() => tidy(out, loaded.saved.step)),
  )

// -------------------------------------------------------------------------------------
// opening
// -------------------------------------------------------------------------------------

const hasRun = (folder: string): string | undefined => {
  const { last, best, only } = filesIn(folder)
  return [last, best, only].find((path) => existsSync(path))
}

/** Whether there is a run in a folder. */
export const isRun = (folder: string): boolean => hasRun(folder) !== undefined

/** Makes a folder, if it is not there. Answers the outermost that was made, if any was. */
export const makeFolder = (out: string): TE.TaskEither<DiffeoError, string | undefined> =>
  TE.tryCatch(
    // on a read-only disk the recursive one says that something is missing; the plain one says what
    () =>
      mkdir(out, { recursive: true }).catch((e: NodeJS.ErrnoException) =>
        e.code === 'ENOENT' ? mkdir(out).then(() => out) : Promise.reject(e),
      ),
    fileFailure('write', out),
  )

/** Takes away folders that are empty, from the innermost to the outermost. */
const removeEmpty = async (innermost: string, outermost: string): Promise<void> => {
  for (let path = resolve(innermost); path.startsWith(resolve(outermost)); path = dirname(path))
    await rmdir(path).catch(() => undefined)
}

/** What a folder holds: nothing of a new run, the checkpoint of one that goes on. */
const savedIn = (out: string, from: Which | undefined): TE.TaskEither<DiffeoError, Loaded | undefined> => {
  const run = hasRun(out)
  if (from !== undefined)
    return run === undefined
      ? TE.left(fileError(`resume ${out}`, 'a checkpoint', 'none', 'leave out --resume, or name its folder with --out'))
      : loadSaved(out, from)
  return run === undefined
    ? TE.right(undefined)
    : TE.left(
        usageError(
          `train in ${out}`,
          'a folder without a run',
          run,
          'go on with --resume, or choose another folder with --out',
        ),
      )
}

/**
 * Uses the folder of a new run, or of one that resumes from a checkpoint, with its lock held: nobody else writes there
 * between what is read and what is made of it.
 *
 * @throws DiffeoException if the folder cannot be used
 */
export const withFolder = async <A>(
  out: string,
  from: Which | undefined,
  say: (line: string) => void,
  use: (loaded: Loaded | undefined, lock: FolderLock) => Promise<A>,
): Promise<A> => {
  const created = orThrow(await makeFolder(out)())
  const lock = orThrow(await lockFolder(out, { say })())
  try {
    return await use(orThrow(await savedIn(out, from)()), lock)
  } finally {
    lock.release()
    // a folder that another run has begun to use is not empty
    if (created !== undefined) await removeEmpty(out, created)
  }
}
