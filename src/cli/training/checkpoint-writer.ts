/**
 * What is written of a run while it trains. What cannot be is said, and tried again: training goes on.
 *
 * @module
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, describeError } from '../../error.js'
import { fileFailure } from '../../file.js'
import { type BestFigures, type Snapshot, saveCheckpoint } from '../../train/checkpoint.js'
import { copyState, disposeState } from '../../train/state.js'
import { filesIn } from '../run/folder.js'
import { type FolderLock, foreignFolder } from '../run/lock.js'
import type { Io } from '../terminal/console.js'

/** Hears what became of something that was written, and answers whether it is there. */
export type Report = (written: E.Either<DiffeoError, unknown>) => boolean

/** Says what could not be written: a sentence once, until something can be again. */
export const reporter = ({ warn }: Pick<Io, 'warn'>): Report => {
  const said = new Set<string>()
  return (written) => {
    if (E.isRight(written)) {
      said.clear()
      return true
    }
    const sentence = describeError(written.left)
    if (!said.has(sentence)) warn(`${sentence} (training goes on, and tries again)`)
    said.add(sentence)
    return false
  }
}

/** Where a run is written: its folder, while it is this process's. */
export interface Place {
  readonly out: string
  readonly lock: Pick<FolderLock, 'isHeld'>
}

/** Writes a checkpoint into the folder of a run, unless another run took it. */
const saveIn =
  ({ out, lock }: Place, path: string) =>
  (contents: Snapshot): TE.TaskEither<DiffeoError, void> =>
    pipe(
      TE.fromIO(lock.isHeld),
      TE.flatMap((isHeld) => (isHeld ? saveCheckpoint(path)(contents) : TE.left(foreignFolder(out)))),
    )

/** Writes the checkpoints of a run. */
export interface Saver {
  readonly save: (contents: Snapshot, isBest?: boolean) => Promise<void>
  /** Seconds since the last time. */
  readonly since: () => number
  /** Tries once more, before the run ends. */
  readonly close: () => Promise<SavedBest>
}

/** The best validation, as far as it is written. */
export interface SavedBest {
  /** The figures of the best checkpoint that is there. */
  readonly figures: BestFigures | undefined
  /** A better state that could not be written. */
  readonly unwritten: Snapshot | undefined
}

/**
 * A best state that cannot be written is kept until it is: no later one is the same. Until then, the newest checkpoint
 * has the figures of the best one that is there, so that a run that goes on from it looks for one better than that.
 *
 * @param best the figures of the best checkpoint, of a run that goes on.
 */
export const saver = (
  place: Place,
  best: BestFigures | undefined,
  report: Report,
  { warn }: Pick<Io, 'warn'>,
): Saver => {
  const files = filesIn(place.out)
  let savedAt = performance.now()
  let there = best
  let unwritten: Snapshot | undefined
  const write = async (path: string, contents: Snapshot) => report(await saveIn(place, path)(contents)())
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
        const written = await saveIn(place, files.best)(unwritten)()
        if (E.isRight(written)) {
          const contents = unwritten
          forget()
          agreed(contents)
        } else warn(`${describeError(written.left)} (the parameters of the best validation are not kept)`)
      }
      return { figures: there, unwritten }
    },
  }
}

/** A folder that nobody can foresee, for what its own folder does not take. */
const refuge = (): TE.TaskEither<DiffeoError, string> =>
  TE.tryCatch(() => mkdtemp(join(tmpdir(), 'diffeo-')), fileFailure('write', tmpdir()))

/**
 * Saves where it should be, or at least somewhere: what was trained is not lost to a full disk.
 *
 * @param best of the checkpoint that is there, and a better one that could not be written.
 */
export const saveLast = (place: Place, contents: Snapshot, best: SavedBest): TE.TaskEither<DiffeoError, void> => {
  const { best: _, ...without } = contents
  const agreed = best.figures === undefined ? without : { ...without, best: best.figures }
  const { unwritten } = best
  return pipe(
    saveIn(place, filesIn(place.out).last)(agreed),
    TE.orElse((error) =>
      contents.state.step === 0
        ? TE.left(error)
        : pipe(
            refuge(),
            TE.map(filesIn),
            TE.tap((files) => saveCheckpoint(files.last)(contents)),
            TE.tap((files) => (unwritten === undefined ? TE.right(undefined) : saveCheckpoint(files.best)(unwritten))),
            TE.matchE(
              () => TE.left(error),
              ({ last }) => {
                const both = unwritten === undefined ? 'it' : 'it and best.safetensors beside it'
                const fix = `${error.fix ?? 'find out why'}; it is saved as ${last} meanwhile: move ${both} there, then --resume`
                return TE.left({ ...error, fix })
              },
            ),
          ),
    ),
  )
}
