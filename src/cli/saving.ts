/**
 * What is written of a run while it trains. What cannot be is said, and tried again: training goes on.
 *
 * @module
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, describeError } from '../error.js'
import { type Snapshot, saveCheckpoint } from '../train/checkpoint.js'
import { copyState, disposeState } from '../train/state.js'
import type { Io } from './console.js'
import { filesIn } from './folder.js'

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

/** Writes the checkpoints of a run. */
export interface Saver {
  readonly save: (contents: Snapshot, isBest?: boolean) => Promise<void>
  /** Seconds since the last time. */
  readonly since: () => number
  /** Before the run ends. */
  readonly close: () => Promise<void>
}

/** A best state that cannot be written is kept until it is: no later one is the same. */
export const saver = (out: string, report: Report, { warn }: Pick<Io, 'warn'>): Saver => {
  const { last, best } = filesIn(out)
  let savedAt = performance.now()
  let unwritten: Snapshot | undefined
  const write = async (path: string, contents: Snapshot) => report(await saveCheckpoint(path)(contents)())
  const forget = (): void => {
    if (unwritten !== undefined) disposeState(unwritten.state)
    unwritten = undefined
  }
  const writeBest = async (): Promise<void> => {
    if (unwritten !== undefined && (await write(best, unwritten))) forget()
  }
  return {
    save: async (contents, isBest = false) => {
      if (!isBest) await writeBest()
      else {
        forget()
        if (!(await write(best, contents))) unwritten = { ...contents, state: copyState(contents.state) }
      }
      await write(last, contents)
      savedAt = performance.now()
    },
    since: () => (performance.now() - savedAt) / 1000,
    close: async () => {
      if (unwritten === undefined) return
      const written = await saveCheckpoint(best)(unwritten)()
      if (E.isLeft(written)) warn(`${describeError(written.left)} (the parameters of the best validation are not kept)`)
      forget()
    },
  }
}

/** Saves where it should be, or at least somewhere: what was trained is not lost to a full disk. */
export const saveLast = (out: string, contents: Snapshot): TE.TaskEither<DiffeoError, void> => {
  const refuge = join(tmpdir(), `diffeo-${process.pid}.safetensors`)
  return pipe(
    saveCheckpoint(filesIn(out).last)(contents),
    TE.orElse((error) =>
      contents.state.step === 0
        ? TE.left(error)
        : pipe(
            saveCheckpoint(refuge)(contents),
            TE.matchE(
              () => TE.left(error),
              () =>
                TE.left({
                  ...error,
                  fix: `${error.fix ?? 'find out why'}; it is saved as ${refuge} meanwhile: move it there, then --resume`,
                }),
            ),
          ),
    ),
  )
}
