/**
 * The folder of a run:
 *
 *   config.json          everything that decides its numbers     `train … --config` repeats the run
 *   metrics.jsonl        a line for each ten steps and each validation
 *   last.safetensors     the newest checkpoint                    best.safetensors   that of the best validation
 *   evaluation.json      test figures, and those of every example
 *   about.json           the commands that trained it, and their data
 *   samples.png, …       pictures                                 progress/     samples drawn during training
 *   curves.svg, .png     loss                                     histogram.svg, .png     of the test figures
 *   plane.svg, .png      of points; of images temperatures.png, samples at four, and scales.png, what each scale holds
 *   report.html          all of it on one page                    events.out.…  for TensorBoard
 *   lock                 the process that trains there
 *
 * Every file is whole or as it was before. If the newest checkpoint cannot be read, the other is used, with a warning.
 *
 * @module
 */
import { existsSync, renameSync } from 'node:fs'
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import type * as t from 'io-ts'
import {
  asError,
  type DiffeoError,
  DiffeoException,
  describeError,
  fileError,
  formatError,
  orThrow,
  usageError,
} from '../../error.js'
import { fileFailure, hasCode, readBytes, writeFileAtomic } from '../../file.js'
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
  /** The samples of a run on a table. */
  rows: join(folder, 'samples.csv'),
  reconstructions: join(folder, 'reconstructions.png'),
  interpolations: join(folder, 'interpolations.png'),
})

// -------------------------------------------------------------------------------------
// configuration
// -------------------------------------------------------------------------------------

/** More than any configuration has. */
const LARGEST = 1_000_000

/** What a JSON file holds, and what to do if it holds something else. */
interface JsonFile<A> {
  readonly codec: t.Decoder<unknown, A>
  readonly what: string
  /** What the value is called in the sentence about a part of it. */
  readonly root: string
  readonly fix: string
  /** If it is not JSON at all; default: `fix` */
  readonly fixText?: string
}

/**
 * A value from the bytes of a JSON file.
 *
 * @throws DiffeoException with a format error
 */
export const decodeJson = <A>(
  path: string,
  { codec, what, root, fix, fixText = fix }: JsonFile<A>,
  bytes: Uint8Array,
): A =>
  orThrow(
    pipe(
      J.parse(new TextDecoder().decode(bytes)),
      E.mapLeft(() => formatError(path, `${what} in JSON`, 'other text', fixText)),
      E.flatMap(decodeWith(path, root, codec, fix)),
    ),
  )

/**
 * A configuration from the bytes of its file.
 *
 * @throws DiffeoException with a format error
 */
export const decodeConfig = (path: string, bytes: Uint8Array): RunConfig =>
  decodeJson(
    path,
    {
      codec: RunConfig,
      what: 'a configuration',
      root: 'config',
      fix: "start from a run's config.json",
      fixText: "use a run's config.json",
    },
    bytes,
  )

/**
 * Reads a configuration, as of `--config`.
 *
 * @throws DiffeoException with a file or format error
 */
export const readConfig = async (path: string): Promise<RunConfig> =>
  decodeConfig(path, orThrow(await readBytes(path, LARGEST)()))

/**
 * Writes a value as JSON.
 *
 * @throws DiffeoException with a file error
 */
export const writeJson = async (path: string, value: unknown): Promise<void> =>
  orThrow(await writeFileAtomic(path)(Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`))())

// -------------------------------------------------------------------------------------
// checkpoints
// -------------------------------------------------------------------------------------

export type Saved = Checkpoint<RunConfig>

/** The checkpoint to try first. */
export type Which = 'last' | 'best'

/** A checkpoint whose parameters are all finite; others are of no use. */
const loadWhole = async (path: string): Promise<Saved> => {
  const saved = orThrow(await loadCheckpoint(path, RunConfig)())
  const strange = [...saved.tensors].find(([, { data }]) => !data.every(Number.isFinite))
  if (strange === undefined) return saved
  const got = `others in ${strange[0]}`
  throw new DiffeoException(formatError(path, 'parameters that are finite numbers', got, 'restore it from a copy'))
}

/** What was read, and the checkpoints that could not be. */
export interface Loaded {
  readonly saved: Saved
  readonly damaged: readonly { readonly path: string; readonly error: DiffeoError }[]
}

/**
 * The checkpoint of a run, or the next one that can be read.
 *
 * @throws DiffeoException if none can be
 */
export const loadSaved = async (folder: string, which: Which = 'last'): Promise<Loaded> => {
  const { last, best, only } = filesIn(folder)
  const damaged: { readonly path: string; readonly error: DiffeoError }[] = []
  for (const path of which === 'last' ? [last, best, only] : [best, last, only])
    if (existsSync(path))
      try {
        return { saved: await loadWhole(path), damaged }
      } catch (thrown) {
        damaged.push({ path, error: asError(thrown) })
      }
  const fix = 'name the folder of a run: `diffeo train` makes one'
  throw new DiffeoException(damaged[0]?.error ?? fileError(`run ${folder}`, 'a checkpoint', 'none', fix))
}

/** The warnings about checkpoints that could not be read. */
export const warningsOf = ({ saved, damaged }: Loaded): readonly string[] =>
  damaged.map(({ error }) => `${describeError(error)}\ninstead: ${saved.path}, step ${saved.step}`)

/** Renames a file; a failure is one of writing it. */
const rename = (from: string, to: string): void => {
  try {
    renameSync(from, to)
  } catch (thrown) {
    throw new DiffeoException(fileFailure('write', from)(thrown))
  }
}

/**
 * The temporary names of `writeFileAtomic`, a name and a number of 32 bits, but not copies that are named by a date.
 */
const BEGUN = /^(.+)\.(?!(?:19|20)\d{6}$)\d{7,10}$/

/**
 * Removes the partial files of a killed process, and pictures of steps that will be repeated. It removes only files
 * that are written with the lock held: another command may be writing the others.
 */
const tidy = async (out: string, step: number): Promise<void> => {
  const { progress, last, best, config, metrics, about } = filesIn(out)
  const begunAs = (name: string): string | undefined => BEGUN.exec(name)?.[1]
  const isBegun = (name: string): boolean =>
    [last, best, config, metrics, about].includes(join(out, begunAs(name) ?? ''))
  const isStale = (name: string): boolean =>
    /^\d+\.png$/.test(begunAs(name) ?? '') || Number(/^(\d+)\.png$/.exec(name)?.[1]) > step
  const filesOf = async (folder: string): Promise<readonly string[]> =>
    (await readdir(folder, { withFileTypes: true })).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
  try {
    const [written, drawn] = await Promise.all([filesOf(out), filesOf(progress).catch(() => [])])
    const stale = [
      ...written.filter(isBegun).map((name) => join(out, name)),
      ...drawn.filter(isStale).map((name) => join(progress, name)),
    ]
    await Promise.all(stale.map((path) => rm(path, { force: true })))
  } catch (thrown) {
    throw new DiffeoException(fileFailure('write', out)(thrown))
  }
}

/**
 * Prepares the folder of a run that resumes: puts aside what could not be read, so that nothing is written over it, and
 * the last state, where the run resumes from an earlier one.
 *
 * @throws DiffeoException with a file error
 */
export const takeUp = async (out: string, { saved, damaged }: Loaded): Promise<void> => {
  const { last } = filesIn(out)
  for (const { path } of damaged) rename(path, `${path}.damaged`)
  if (saved.path !== last && existsSync(last)) rename(last, `${last}.before`)
  await tidy(out, saved.step)
}

// -------------------------------------------------------------------------------------
// opening
// -------------------------------------------------------------------------------------

const hasRun = (folder: string): string | undefined => {
  const { last, best, only } = filesIn(folder)
  return [last, best, only].find((path) => existsSync(path))
}

/** Whether there is a run in a folder. */
export const isRun = (folder: string): boolean => hasRun(folder) !== undefined

/**
 * Creates a folder, if it is not there. Returns the outermost that it created, if any.
 *
 * @throws DiffeoException with a file error
 */
export const makeFolder = async (out: string): Promise<string | undefined> => {
  try {
    return await mkdir(out, { recursive: true })
  } catch (thrown) {
    // on a read-only disk the recursive call says that something is missing; the plain one says what is wrong
    if (!hasCode(thrown, 'ENOENT')) throw new DiffeoException(fileFailure('write', out)(thrown))
  }
  try {
    await mkdir(out)
    return out
  } catch (thrown) {
    throw new DiffeoException(fileFailure('write', out)(thrown))
  }
}

/** Removes empty folders, from the innermost to the outermost. */
const removeEmpty = async (innermost: string, outermost: string): Promise<void> => {
  for (let path = resolve(innermost); path.startsWith(resolve(outermost)); path = dirname(path))
    await rmdir(path).catch(() => undefined)
}

/** What a folder holds: nothing of a new run, the checkpoint of one that resumes. */
const savedIn = async (out: string, from: Which | undefined): Promise<Loaded | undefined> => {
  const run = hasRun(out)
  if (from === undefined && run === undefined) return undefined
  if (from !== undefined && run !== undefined) return loadSaved(out, from)
  throw new DiffeoException(
    run === undefined
      ? fileError(`resume ${out}`, 'a checkpoint', 'none', 'leave out --resume, or name its folder with --out')
      : usageError(
          `train in ${out}`,
          'a folder without a run',
          run,
          'add --resume, or choose another folder with --out',
        ),
  )
}

/**
 * Uses the folder of a new run, or of one that resumes from a checkpoint, with its lock held: nobody else writes there
 * between reading and writing.
 *
 * @throws DiffeoException if the folder cannot be used
 */
export const withFolder = async <A>(
  out: string,
  from: Which | undefined,
  say: (line: string) => void,
  use: (loaded: Loaded | undefined, lock: FolderLock) => Promise<A>,
): Promise<A> => {
  const created = await makeFolder(out)
  const lock = await lockFolder(out, { say })
  try {
    return await use(await savedIn(out, from), lock)
  } finally {
    lock.release()
    // a folder that another run has begun to use is not empty
    if (created !== undefined) await removeEmpty(out, created)
  }
}
