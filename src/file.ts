/**
 * Whole files, read and written, with every failure a sentence that says how to fix it.
 *
 * Law: after `writeFileAtomic(path)(bytes)` the file is either exactly `bytes` or exactly what it was before, also when
 * the disk fills up or the process is killed half way.
 *
 * @module
 */
import { createReadStream, existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import writeAtomic from 'write-file-atomic'
import { type DiffeoError, DiffeoException, fileError } from './error.js'

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
 * The sentence for what Node threw when `verb` was tried on `path`.
 *
 * @example fileFailure('write', 'out/a.png')(Object.assign(new Error(), { code: 'ENOSPC' }))
 *   // write out/a.png: expected room on the disk, got a full disk (ENOSPC); free some space or choose another path
 */
export const fileFailure =
  (verb: Verb, path: string) =>
  (thrown: unknown): DiffeoError => {
    if (thrown instanceof DiffeoException) return thrown.error
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
    const [expected, got, fix] = sentences(verb, path)[code] ?? [`to ${verb} it`, String(thrown), undefined]
    return fileError(`${verb} ${path}`, expected, fix === undefined ? got : `${got} (${code})`, fix)
  }

/** No more is read than shows that there is too much, whatever the system says of its size. */
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
 * @param most how many bytes there may be; what Node reads at once, 2 GiB, unless told.
 * @returns left: a file error, if it is missing, is a folder, may not be read, or is larger than that.
 * @example readBytes('weights.bin')
 */
export const readBytes = (path: string, most?: number): TE.TaskEither<DiffeoError, Uint8Array> =>
  pipe(
    TE.tryCatch(() => (most === undefined ? readFile(path) : readUpTo(path, most)), fileFailure('read', path)),
    TE.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.length)),
  )

/**
 * The text of a file; none of one that is not there.
 *
 * @returns left: as {@link readBytes}.
 * @example readTextIfAny('runs/mnist/metrics.jsonl', 2 ** 28)
 */
export const readTextIfAny = (path: string, most: number): TE.TaskEither<DiffeoError, string> =>
  existsSync(path)
    ? pipe(
        readBytes(path, most),
        TE.map((bytes) => new TextDecoder().decode(bytes)),
      )
    : TE.right('')

/**
 * Writes a file all at once: into a temporary file beside it, flushed to the disk, then renamed over `path`.
 *
 * write-file-atomic does the naming, the flush, the rename and the cleaning up, but its own write ignores how much the
 * system took: on a disk that fills up it renames a truncated file and reports success (7.0.1). So it gets nothing to
 * write, and the bytes go in through its hook with Node's `writeFile`, which goes on until all are there or fails.
 *
 * @returns left: a file error, if the folder is missing or forbidden or the disk is full; `path` is then untouched.
 * @example writeFileAtomic('out/samples.png')(file)
 */
export const writeFileAtomic =
  (path: string) =>
  (bytes: Uint8Array): TE.TaskEither<DiffeoError, void> =>
    TE.tryCatch(
      () => writeAtomic(path, '', { tmpfileCreated: (temporary) => writeFile(temporary, bytes) }),
      fileFailure('write', path),
    )
