/**
 * Reads and writes whole files; every error says how to fix it.
 *
 * Law: after `writeFileAtomic(path)(bytes)` the file is either exactly `bytes` or exactly what it was before, even if
 * the disk fills up, a system call fails, the process is killed midway or the power fails.
 *
 * @module
 */
import { randomInt } from 'node:crypto'
import { createReadStream, rmSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type DiffeoError, DiffeoException, fileError } from './error.js'
import { codeOf } from './thrown.js'

type Sentence = readonly [expected: string, got: string, fix: string]

type Verb = 'read' | 'write'

const full: Sentence = ['room on the disk', 'a full disk', 'free some space or choose another path']

const forbidden = (verb: Verb): Sentence => [
  `permission to ${verb}`,
  'none',
  'change its permissions or choose another path',
]

const sentences = (verb: Verb, path: string): Readonly<Partial<Record<string, Sentence>>> => ({
  ENOENT:
    verb === 'read'
      ? ['a file', 'nothing there', 'check the path']
      : ['an existing folder', 'none', `create it: mkdir -p '${dirname(path)}'`],
  EISDIR: ['a file', 'a folder', 'add a file name to the path'],
  ENOTDIR: ['a path through folders', 'a file in the middle of it', 'choose another path'],
  EACCES: forbidden(verb),
  EPERM: forbidden(verb),
  EROFS: ['a file system that can be written', 'a read-only one', 'choose another path'],
  ERR_FS_FILE_TOO_LARGE: ['a file of less than 2 GiB', 'a larger one', 'check that it is the file you mean'],
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: ['a file within the size limit', 'a larger one', 'raise the limit (ulimit -f) or choose another path'],
})

/**
 * The error for what Node threw when it tried to `verb` the file at `path`.
 *
 * @example fileFailure('write', 'out/a.png')(Object.assign(new Error(), { code: 'ENOSPC' }))
 *   // write out/a.png: expected room on the disk, got a full disk (ENOSPC); free some space or choose another path
 */
export const fileFailure =
  (verb: Verb, path: string) =>
  (thrown: unknown): DiffeoError => {
    if (thrown instanceof DiffeoException) return thrown.error
    const code = codeOf(thrown) ?? ''
    const [expected, got, fix] = sentences(verb, path)[code] ?? [`to ${verb} it`, String(thrown), undefined]
    return fileError(`${verb} ${path}`, expected, fix === undefined ? got : `${got} (${code})`, fix)
  }

/** Reads at most one byte more than allowed, whatever size the system reports. */
const readUpTo = async (path: string, most: number): Promise<Buffer> => {
  const parts: Buffer[] = []
  for await (const part of createReadStream(path, { end: most, highWaterMark: 2 ** 20 })) parts.push(part)
  const bytes = Buffer.concat(parts)
  if (bytes.length <= most) return bytes
  const fix = 'check that it is the file you mean'
  throw new DiffeoException(fileError(`read ${path}`, `a file of at most ${most} bytes`, 'a larger one', fix))
}

/**
 * All bytes of a file.
 *
 * @param most the largest size allowed, in bytes; default: 2 GiB, the most that Node reads at once.
 * @returns left: a file error, if it is missing, is a folder, may not be read, or is larger than that.
 * @example readBytes('weights.bin')
 */
export const readBytes = (path: string, most?: number): TE.TaskEither<DiffeoError, Uint8Array> =>
  pipe(
    TE.tryCatch(() => (most === undefined ? readFile(path) : readUpTo(path, most)), fileFailure('read', path)),
    TE.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.length)),
  )

/** Whether an error of the system has one of these codes. */
export const hasCode = (thrown: unknown, ...codes: readonly string[]): boolean => codes.includes(codeOf(thrown) ?? '')

/**
 * The text of a file, or none if it does not exist.
 *
 * @returns left: as {@link readBytes}.
 * @example readTextIfAny('runs/mnist/metrics.jsonl', 2 ** 28)
 */
export const readTextIfAny = (path: string, most: number): TE.TaskEither<DiffeoError, string> =>
  TE.tryCatch(
    () =>
      readUpTo(path, most).then(
        (bytes) => new TextDecoder().decode(bytes),
        (thrown) => (hasCode(thrown, 'ENOENT') ? '' : Promise.reject(thrown)),
      ),
    fileFailure('read', path),
  )

/** Temporary files of unfinished writes, which the process removes when it exits. */
const unfinished = new Set<string>()
const removeUnfinished = (): void => {
  for (const path of unfinished)
    try {
      rmSync(path, { force: true })
    } catch {
      // a disk that fails keeps it
    }
}

/** Makes a rename last through a power cut, where the system can: not every one opens folders or flushes them. */
const flushFolder = async (path: string): Promise<void> => {
  try {
    const folder = await open(path, 'r')
    await folder.sync().finally(() => folder.close())
  } catch {
    // the file is whole either way
  }
}

/** Gives a file the owner and mode of the one that it will replace, as far as this user may. */
const keepOwner = async (file: FileHandle, before: Stats | undefined): Promise<void> => {
  if (before?.isFile() !== true) return
  const unlessForbidden = (thrown: unknown): void => {
    if (!hasCode(thrown, 'EPERM', 'EINVAL', 'ENOSYS', 'ENOTSUP')) throw thrown
  }
  await file.chown(before.uid, before.gid).catch(unlessForbidden)
  await file.chmod(before.mode & 0o7777).catch(unlessForbidden)
}

/** The file at a path now. Refuses a device, a pipe or a link to one: replacing it would break other programs. */
const replaceable = async (path: string): Promise<Stats | undefined> => {
  const target = await stat(path).catch(() => undefined)
  if (target !== undefined && !target.isFile() && !target.isDirectory()) {
    const got = 'a device, pipe or socket'
    throw new DiffeoException(fileError(`write ${path}`, 'a file', got, 'choose another path'))
  }
  return lstat(path).catch(() => undefined)
}

/** The content of a file: bytes, or pieces of text that are made while they are written. */
export type Content = Uint8Array | AsyncIterable<string>

/** An unpredictable name in the same folder. `wx` refuses an existing file and follows no link. */
const replace = async (path: string, content: Content): Promise<void> => {
  const before = await replaceable(path)
  const temporary = `${path}.${randomInt(1e9, 2 ** 32)}`
  if (unfinished.size === 0) process.on('exit', removeUnfinished)
  unfinished.add(temporary)
  try {
    const file = await open(temporary, 'wx')
    try {
      // each call continues after the last, until all bytes are there, or fails
      for await (const piece of Symbol.asyncIterator in content ? content : [content]) await file.writeFile(piece)
      await keepOwner(file, before)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw thrown
  } finally {
    unfinished.delete(temporary)
    if (unfinished.size === 0) process.off('exit', removeUnfinished)
  }
  await flushFolder(dirname(path))
}

/**
 * Writes a file all at once: writes and flushes a temporary file in the same folder, renames it to `path`,
 * and flushes the folder. A link at `path` is replaced, not followed.
 *
 * @returns left: a file error, if the folder is missing or forbidden or the disk is full, or the error that making the
 *   content rejects with; `path` is then untouched.
 * @example writeFileAtomic('out/samples.png')(file)
 */
export const writeFileAtomic =
  (path: string) =>
  (content: Content): TE.TaskEither<DiffeoError, void> =>
    TE.tryCatch(() => replace(path, content), fileFailure('write', path))
