/**
 * One run in a folder at a time: the file `lock` names the process that trains there.
 *
 * A lock is stale if its process was on this machine and is gone, if the machine has started since, or if it has this
 * process's own number, is not its own, and was not touched for a minute, as the holder does: a container that starts
 * again has the names and numbers of before, and so may another container of the same host name. Nothing
 * that a process can do by dying leaves a folder locked; a lock of another machine is believed. Taking over a stale one
 * is a rename, which one process alone can do.
 *
 * @module
 */
import {
  closeSync,
  linkSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimes,
  writeFileSync,
} from 'node:fs'
import { hostname, uptime } from 'node:os'
import { dirname, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as t from 'io-ts'
import { natural } from '../codec.js'
import { type DiffeoError, fileError } from '../error.js'
import { fileFailure } from '../file.js'
import { isAlive } from '../process.js'

const Holder = t.type({ pid: natural('a process'), host: t.string, since: t.number })

/** How long a lock without its holder's name may be one that is being written. */
const WRITING = 10_000

/** How often a holder touches its lock, and after how long one that has this process's number is nobody's. */
const [BEAT, SILENT] = [10_000, 60_000]

/** The folders whose locks this process holds. */
const held = new Set<string>()

const isHeld = (path: string, pid: number): boolean =>
  pid === process.pid
    ? held.has(realpathSync(dirname(path))) || Date.now() - statSync(path).mtimeMs < SILENT
    : isAlive(pid)

/** Who holds it, or nothing if nobody does any more. */
const holderOf = (path: string, text: string): string | undefined =>
  pipe(
    J.parse(text),
    E.flatMap((u) => E.mapLeft(() => u)(Holder.decode(u))),
    E.match(
      () => (Date.now() - statSync(path).mtimeMs < WRITING ? 'another process' : undefined),
      ({ pid, host, since }) =>
        host !== hostname()
          ? `process ${pid} on ${host}`
          : isHeld(path, pid) && since > Date.now() - uptime() * 1000
            ? `process ${pid}`
            : undefined,
    ),
  )

const create = (path: string): void => {
  writeFileSync(path, '', { flag: 'wx' })
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname(), since: Date.now() }))
  } catch (thrown) {
    rmSync(path, { force: true })
    throw thrown
  }
}

const isCode = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === code

/** As much of a lock as a holder's name can have. */
const textOf = (path: string): string => {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(4096)
    return bytes.toString('utf8', 0, readSync(file, bytes))
  } finally {
    closeSync(file)
  }
}

/** Puts aside a lock that was judged stale by its text; if it has changed since, puts it back. */
const putAside = (path: string, text: string): void => {
  const aside = `${path}.${process.pid}`
  renameSync(path, aside)
  if (textOf(aside) !== text) linkSync(aside, path)
  rmSync(aside, { force: true })
}

/**
 * Takes the lock of a folder, and answers how to give it back; it goes by itself when the process ends.
 *
 * @returns left: a file error, if another process has it or the folder cannot be written.
 */
export const lockFolder = (folder: string): E.Either<DiffeoError, () => void> => {
  const path = join(folder, 'lock')
  const failed = fileFailure('write', path)
  const take = (own: string, triesLeft: number): E.Either<DiffeoError, () => void> => {
    try {
      create(path)
    } catch (thrown) {
      if (!isCode(thrown, 'EEXIST') || triesLeft === 0) return E.left(failed(thrown))
      try {
        const text = textOf(path)
        const holder = holderOf(path, text)
        if (holder !== undefined)
          return E.left(
            fileError(
              `train in ${folder}`,
              'a folder that no other run uses',
              holder,
              `choose another folder with --out, or remove ${path} if no run is there`,
            ),
          )
        putAside(path, text)
      } catch (inner) {
        // gone in the meantime: the next try sees
        if (!isCode(inner, 'ENOENT') && !isCode(inner, 'EEXIST')) return E.left(failed(inner))
      }
      return take(own, triesLeft - 1)
    }
    held.add(own)
    const beat = setInterval(() => {
      const now = new Date()
      utimes(path, now, now, () => undefined)
    }, BEAT).unref()
    const release = (): void => {
      clearInterval(beat)
      rmSync(path, { force: true })
      held.delete(own)
      process.off('exit', release)
    }
    process.on('exit', release)
    return E.right(release)
  }
  return pipe(
    E.tryCatch(() => realpathSync(folder), failed),
    E.flatMap((own) => take(own, 3)),
  )
}
