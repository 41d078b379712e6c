/**
 * Writes a run while it trains. A failed write becomes a warning and is retried; training continues.
 *
 * @module
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asError, type DiffeoError, DiffeoException, describeError, orThrow } from '../../error.js'
import { type BestFigures, type Snapshot, saveCheckpoint } from '../../train/checkpoint.js'
import { copyState, disposeState } from '../../train/state.js'
import { filesIn } from '../run/folder.js'
import { type FolderLock, foreignFolder } from '../run/lock.js'
import { type Io, warnIfFails } from '../terminal/console.js'

/** Tries to write something, and returns whether that worked. An expected failure becomes a warning. */
export type Attempt = (write: () => Promise<unknown>) => Promise<boolean>

/** Repeats no warning until a write has succeeded again. */
export const attempts = ({ warn }: Pick<Io, 'warn'>): Attempt => {
  const warned = new Set<string>()
  return async (write) => {
    try {
      await write()
      warned.clear()
      return true
    } catch (thrown) {
      const sentence = describeError(asError(thrown))
      if (!warned.has(sentence)) warn(`${sentence} (training continues and retries)`)
      warned.add(sentence)
      return false
    }
  }
}

/** Where a run is written: its folder, while this process holds the lock. */
export interface Place {
  readonly out: string
  readonly lock: Pick<FolderLock, 'isHeld'>
}

/** Writes a checkpoint into the folder of a run, unless another run took the folder. */
const saveIn = async ({ out, lock }: Place, path: string, contents: Snapshot): Promise<void> => {
  if (!lock.isHeld()) throw new DiffeoException(foreignFolder(out))
  orThrow(await saveCheckpoint(path)(contents)())
}

/** Writes the checkpoints of a run. */
export interface Saver {
  readonly save: (contents: Snapshot, isBest?: boolean) => Promise<void>
  /** Seconds since the last save. */
  readonly since: () => number
  /** Tries once more to write what is unwritten, before the run ends. */
  readonly close: () => Promise<SavedBest>
}

/** The state of the best checkpoint. */
export interface SavedBest {
  /** The figures of the best checkpoint on disk. */
  readonly figures: BestFigures | undefined
  /** A better state that could not be written. */
  readonly unwritten: Snapshot | undefined
}

/**
 * A best state that cannot be written is kept until it is: no later one is the same. Until then, the newest checkpoint
 * has the figures of the best one that is there, so that a run that resumes from it looks for a better one.
 *
 * @param best the figures of the best checkpoint, of a run that resumes
 */
export const saver = (place: Place, best: BestFigures | undefined, attempt: Attempt, io: Pick<Io, 'warn'>): Saver => {
  const files = filesIn(place.out)
  let savedAt = performance.now()
  let there = best
  let unwritten: Snapshot | undefined
  const write = (path: string, contents: Snapshot) => attempt(() => saveIn(place, path, contents))
  const forget = (): void => {
    if (unwritten !== undefined) disposeState(unwritten.state)
    unwritten = undefined
  }
  const writeBest = async (): Promise<void> => {
    if (unwritten !== undefined && (await write(files.best, unwritten))) forget()
  }
  /** The figures of a run, or those of the checkpoint that is there. */
  const agreed = ({ best: own, ...contents }: Snapshot): Snapshot => {
    if (unwritten === undefined && own !== undefined) there = { bitsPerDim: own.bitsPerDim, worse: own.worse ?? 0 }
    return there === undefined ? contents : { ...contents, best: there }
  }
  return {
    save: async (contents, isBest = false) => {
      if (!isBest) await writeBest()
      else {
        forget()
        if (!(await write(files.best, contents))) unwritten = { ...contents, state: copyState(contents.state) }
      }
      await write(files.last, agreed(contents))
      savedAt = performance.now()
    },
    since: () => (performance.now() - savedAt) / 1000,
    close: async () => {
      if (unwritten !== undefined) {
        const contents = unwritten
        const lost = '(the parameters of the best validation are not kept)'
        const warn = (line: string): void => io.warn(`${line} ${lost}`)
        await warnIfFails(
          async () => {
            await saveIn(place, files.best, contents)
            forget()
            agreed(contents)
          },
          { warn },
        )
      }
      return { figures: there, unwritten }
    },
  }
}

/**
 * Saves into an unpredictable new folder what the run's own folder cannot take. Returns the error with where it went.
 */
const rescue = async (error: DiffeoError, contents: Snapshot, best: Snapshot | undefined): Promise<DiffeoError> => {
  try {
    const files = filesIn(await mkdtemp(join(tmpdir(), 'diffeo-')))
    orThrow(await saveCheckpoint(files.last)(contents)())
    if (best !== undefined) orThrow(await saveCheckpoint(files.best)(best)())
    const both = best === undefined ? 'it' : 'it and best.safetensors beside it'
    const fix = `${error.fix ?? 'find out why'}; it is saved as ${files.last} meanwhile: move ${both} there, then --resume`
    return { ...error, fix }
  } catch {
    return error
  }
}

/**
 * Saves the last state in the run's folder, or failing that in a temporary one: a full disk does not cost a training.
 *
 * @param best the best checkpoint that is written, and a better one that could not be
 * @throws DiffeoException if the run's folder does not take it
 */
export const saveLast = async (place: Place, contents: Snapshot, best: SavedBest): Promise<void> => {
  const { best: _, ...without } = contents
  const agreed = best.figures === undefined ? without : { ...without, best: best.figures }
  try {
    await saveIn(place, filesIn(place.out).last, agreed)
  } catch (thrown) {
    if (contents.state.step === 0) throw thrown
    throw new DiffeoException(await rescue(asError(thrown), contents, best.unwritten))
  }
}
