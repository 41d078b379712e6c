/**
 * One run in a folder at a time: the file `lock` names the process that trains there.
 *
 * A holder keeps the kernel's lock on the file, where there is one ({@link loadFlock}), writes a new beat into the file
 * every few seconds, and checks that the file is still its own. A process that finds a lock decides without any clock:
 *
 * - of this kernel (by its boot id), with the kernel's lock: that lock says whether the holder lives, in whatever
 *   container it is;
 * - of this kernel and this space of process numbers: whether the process lives, by its number and start;
 * - of another machine, container or boot: a beat that changes while it is watched means held; one that does not,
 * nobody.
 *
 * So a dead process never leaves a folder locked, and no living holder loses its lock to a wrong clock or an equal
 * process number. Taking over is a rename, which only one process can do. A holder that finds another's lock in place
 * of its own stops, and deletes nothing.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, openSync, readFileSync, readlinkSync, readSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as t from 'io-ts'
import { natural } from '../../codec.js'
import { type DiffeoError, DiffeoException, fileError } from '../../error.js'
import { fileFailure, hasCode } from '../../file.js'
import { isAlive, startOf } from '../../process.js'
import { type Flock, loadFlock } from './flock.js'

/** The lock of a folder, held by this process. */
export interface FolderLock {
  /** Whether this process still holds it; false once another took it. */
  readonly isHeld: () => boolean
  /** Aborted when a beat finds that another took it. */
  readonly lost: AbortSignal
  /** Releases it. Never throws: on a disk that fails the file stays, and the next run finds that nobody holds it. */
  readonly release: () => void
}

/** The lock of a process that writes no folder. */
export const noLock: Pick<FolderLock, 'isHeld' | 'lost'> = { isHeld: () => true, lost: new AbortController().signal }

/** Milliseconds between beats and of watching them, where to report that it watches, and the kernel's lock. */
export interface LockOptions {
  readonly beat?: number
  readonly watch?: number
  readonly say?: (line: string) => void
  readonly flock?: Flock
}

const Holder = t.type({
  token: t.string,
  pid: natural('a process'),
  host: t.string,
  /** The boot of the kernel, which all containers of a machine share. */
  boot: t.string,
  /** The namespace of process numbers. */
  space: t.string,
  /** When the process started, so that a number used again is no holder. */
  start: t.string,
  /** Whether the kernel's lock is on the file. */
  flock: t.boolean,
})
type Holder = Readonly<t.TypeOf<typeof Holder>>

const textOr = (read: () => string, otherwise: () => string): string => {
  try {
    return read().trim()
  } catch {
    return otherwise()
  }
}

/** Identifies a machine by its name and network cards, where the system has nothing better. */
const machine = (): string => {
  const cards = Object.values(networkInterfaces()).flatMap((card = []) => card.map(({ mac }) => mac))
  return [hostname(), ...[...new Set(cards)].sort()].join(' ')
}

/** The boot and the namespace of this process. */
const here = (): Pick<Holder, 'boot' | 'space'> => ({
  boot: textOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'), machine),
  space: textOr(
    () => readlinkSync('/proc/self/ns/pid'),
    () => '',
  ),
})

/** The most bytes that a holder and its beat can take. */
const LONGEST = 4096

const inOpened = <A>(path: string, use: (fd: number) => A): A => {
  const fd = openSync(path, 'r')
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

const textOf = (path: string): string =>
  inOpened(path, (fd) => {
    const bytes = Buffer.alloc(LONGEST)
    return bytes.toString('utf8', 0, readSync(fd, bytes))
  })

/** The first line is the holder, the second its beat. */
const holderIn = (text: string): Holder | undefined =>
  pipe(
    J.parse(text.split('\n')[0] ?? ''),
    E.flatMap((u) => E.mapLeft(() => u)(Holder.decode(u))),
    E.getOrElseW(() => undefined),
  )

/** The locks that this process holds, by their tokens. */
const held = new Set<string>()

type Verdict = 'held' | 'stale' | 'unknown'

/** What is known of a holder without watching it. */
const judge = (path: string, holder: Holder | undefined, flock: Flock): Verdict => {
  if (holder === undefined) return 'unknown'
  const { boot, space } = here()
  if (held.has(holder.token)) return 'held'
  if (holder.boot !== boot) return 'unknown'
  const free = holder.flock ? inOpened(path, (fd) => flock(fd, 'shared')) : undefined
  if (free !== undefined) return free ? 'stale' : 'held'
  if (holder.space !== space) return 'unknown'
  if (holder.pid === process.pid || !isAlive(holder.pid)) return 'stale'
  // the start of another user's process may be hidden
  return ['', holder.start].includes(startOf(holder.pid)) ? 'held' : 'stale'
}

/** Whether a lock changes while it is watched, with a look every `every` milliseconds; throws when it is gone. */
const beats = async (path: string, text: string, { watch = 30_000 }: LockOptions, every: number): Promise<boolean> => {
  for (const until = performance.now() + watch; performance.now() < until; ) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(every, watch / 10)))
    if (textOf(path) !== text) return true
  }
  return false
}

const nameOf = (holder: Holder | undefined): string =>
  holder === undefined
    ? 'another process'
    : `process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`}`

/** The error of a run whose folder another one has or took. */
export const foreignFolder = (folder: string, holder = 'another process'): DiffeoError =>
  fileError(
    `train in ${folder}`,
    'a folder that no other run uses',
    holder,
    `choose another folder with --out, or remove ${join(folder, 'lock')} if no run is there`,
  )

/** Removes a lock whose text was judged stale. If it has changed since, it stays or is put back. */
const putAside = (path: string, text: string): void => {
  if (textOf(path) !== text) return
  const aside = `${path}.${randomUUID()}`
  renameSync(path, aside)
  if (textOf(aside) !== text) linkSync(aside, path)
  rmSync(aside, { force: true })
}

const without = (path: string): void => {
  try {
    rmSync(path, { force: true })
  } catch {
    // a disk that fails keeps it
  }
}

/** Creates the lock of this process. */
const create = async (path: string, flock: Flock, { beat = 5000 }: LockOptions): Promise<FolderLock> => {
  const file = await open(path, 'wx')
  const token = randomUUID()
  const holder: Holder = {
    token,
    pid: process.pid,
    host: hostname(),
    ...here(),
    start: startOf(process.pid),
    flock: flock(file.fd, 'exclusive') === true,
  }
  const line = Buffer.from(`${JSON.stringify(holder)}\n`)
  let count = 0
  const write = async (): Promise<void> => {
    const text = Buffer.concat([line, Buffer.from(String(count++).padStart(12, '0'))])
    await file.write(text, 0, text.length, 0)
    await file.sync()
  }
  const close = (): void => void file.close().catch(() => undefined)
  try {
    await write()
  } catch (thrown) {
    without(path)
    close()
    throw thrown
  }
  held.add(token)
  const isHeld = (): boolean => {
    try {
      return holderIn(textOf(path))?.token === token
    } catch (thrown) {
      // a disk that fails says nothing of who has it
      return !hasCode(thrown, 'ENOENT')
    }
  }
  const lost = new AbortController()
  const timer = setInterval(() => {
    if (isHeld()) write().catch(() => undefined)
    else {
      clearInterval(timer)
      lost.abort()
    }
  }, beat).unref()
  const release = (): void => {
    if (!held.delete(token)) return
    clearInterval(timer)
    process.off('exit', release)
    if (isHeld()) without(path)
    close()
  }
  process.on('exit', release)
  return { isHeld, lost: lost.signal, release }
}

/**
 * Takes the lock of a folder, which the end of the process releases. Where only the beat can tell whether another run
 * lives, it watches for half a minute.
 *
 * @throws DiffeoException with a file error, if another process holds the lock or the folder cannot be written
 */
export const lockFolder = async (folder: string, options: LockOptions = {}): Promise<FolderLock> => {
  const path = join(folder, 'lock')
  const refusal = (holder?: string): DiffeoException => new DiffeoException(foreignFolder(folder, holder))
  const take = async (flock: Flock, triesLeft: number): Promise<FolderLock> => {
    try {
      return await create(path, flock, options)
    } catch (thrown) {
      if (!hasCode(thrown, 'EEXIST')) throw thrown
    }
    if (triesLeft === 0) throw refusal()
    try {
      const text = textOf(path)
      const holder = holderIn(text)
      const verdict = judge(path, holder, flock)
      if (verdict === 'held') throw refusal(nameOf(holder))
      if (verdict === 'unknown') {
        if (holder !== undefined) options.say?.(`${path} names ${nameOf(holder)}; watching whether it is alive …`)
        // a file without a holder may be one that is being written: it is judged when it is complete
        if (await beats(path, text, options, holder === undefined ? 20 : 500)) {
          if (holder !== undefined) throw refusal(nameOf(holder))
          return await take(flock, triesLeft - 1)
        }
      }
      putAside(path, text)
    } catch (thrown) {
      // it is gone meanwhile: the next try sees why
      if (!hasCode(thrown, 'ENOENT', 'EEXIST')) throw thrown
    }
    return take(flock, triesLeft - 1)
  }
  try {
    return await take(options.flock ?? (await loadFlock()), 3)
  } catch (thrown) {
    throw new DiffeoException(fileFailure('write', path)(thrown))
  }
}
