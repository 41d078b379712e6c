/**
 * Brings the library of TensorFlow: pinned wheels by pip, or wheels that are given. Their shared libraries and notices
 * are unpacked beside the place where they will be, and moved there when all are whole. So an installation that was cut
 * short, or for which the disk was too small, is none.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { type DiffeoError, DiffeoException, engineError, orThrow } from '../../../error.js'
import { fileFailure } from '../../../file.js'
import { isAlive } from '../../../process.js'
import { cacheFolder, filesIn, wheelFolder } from './find.js'
import { pipDownload } from './pip.js'
import { bytesOf, cudaPackages, type Pinned, planOf, platformError, thisPlatform, type Wheel } from './wheels.js'

/** What is taken out of wheels: libraries, what XLA compiles for GPUs with, notices and licences. */
const wanted = [
  /^tensorflow\/(libtensorflow_(cc|framework)\.(so\.2|2\.dylib)|THIRD_PARTY_NOTICES\.txt|include\/LICENSE)$/,
  /^nvidia\/[^/]+\/(lib\/[^/]+\.so[.\d]*|bin\/ptxas|nvvm\/libdevice\/[^/]+\.bc)$/,
  /^[^/]+\.dist-info\/(licenses\/)?(LICENSE|NOTICE)[^/]*$/i,
]
const isMetadata = /^tensorflow[^/]*\.dist-info\/METADATA$/

export interface InstallOptions {
  readonly wheel: Wheel
  /** Wheel files that are there already: nothing is downloaded. */
  readonly from?: readonly string[]
  /** What is downloaded otherwise; default what is pinned. */
  readonly plan?: readonly Pinned[]
  readonly signal?: AbortSignal
  /** What is being done, and how many bytes of how many: of downloads all together. */
  readonly progress?: (doing: string, done: number, total: number) => void
}

const refuse = (expected: string, got: string, fix?: string): never => {
  throw new DiffeoException(engineError('engine install', expected, got, fix))
}

/** Tells how many bytes went through. */
const counted = (tell: (done: number) => void): Transform => {
  let done = 0
  return new Transform({
    transform(chunk: Buffer, _, next) {
      done += chunk.length
      tell(done)
      next(null, chunk)
    },
  })
}

const checksum = async (path: string, { signal, progress }: InstallOptions): Promise<string> => {
  const { size } = await stat(path)
  const hash = createHash('sha256')
  const seen = counted((done) => progress?.(`checking ${basename(path)}`, done, size))
  await pipeline(createReadStream(path), seen, hash, { ...(signal && { signal }) })
  return hash.digest('hex')
}

/** Refuses early what would fill the disk. */
const demand = async (bytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(cacheFolder())
  const [needed, there] = [Math.ceil(bytes / 1e6), Math.floor((bavail * bsize) / 1e6)]
  if (bavail * bsize < bytes)
    refuse(`${needed} MB in ${cacheFolder()}`, `${there} MB`, 'make room, or move it with DIFFEO_CACHE')
}

/** A pinned wheel of a plan, downloaded and checked. */
const download = async (
  pin: Pinned,
  plan: readonly Pinned[],
  folder: string,
  options: InstallOptions,
): Promise<string> => {
  const { signal, progress } = options
  const before = bytesOf(plan.slice(0, plan.indexOf(pin)))
  const tell = (done: number) => progress?.(`downloading ${pin.name}`, before + done, bytesOf(plan))
  tell(0)
  const file = await pipDownload(pin, folder, { signal, progress: tell })
  const found = await checksum(file, options)
  if (found !== pin.sha256)
    refuse(`${pin.name} with SHA-256 ${pin.sha256}`, found, 'try again; if it stays so, do not use it')
  return file
}

/** Every CUDA package that the wheel of TensorFlow asks for has to be in the plan that it is part of. */
const compare = async (zip: ZipFile, entry: Entry, plan: readonly Pinned[]): Promise<void> => {
  const asked = cudaPackages(await text(await zip.openReadStreamPromise(entry)))
  const missing = asked.filter((name) => !plan.some((pin) => pin.name === name))
  if (missing.length > 0) refuse('a wheel whose CUDA packages are pinned', missing.join(', '), 'update diffeo')
}

/** The wanted files of a wheel, under their names, in a folder. */
const unpack = async (path: string, folder: string, cuda: readonly Pinned[], options: InstallOptions) => {
  const { signal, progress } = options
  const zip = await openPromise(path, { autoClose: false }).catch((reason: Error) => {
    if ('code' in reason) throw new DiffeoException(fileFailure('read', path)(reason))
    return refuse('a wheel', `${path}: ${reason.message.replace(/\.$/, '')}`, 'download it again')
  })
  try {
    const entries: Entry[] = []
    for await (const entry of zip.eachEntry()) {
      if (wanted.some((pattern) => pattern.test(entry.fileName))) entries.push(entry)
      if (cuda.length > 0 && isMetadata.test(entry.fileName)) await compare(zip, entry, cuda)
    }
    const total = entries.reduce((n, { uncompressedSize }) => n + uncompressedSize, 0)
    await demand(total)
    let before = 0
    for (const entry of entries) {
      const start = before
      before += entry.uncompressedSize
      const seen = counted((done) => progress?.(`unpacking ${basename(path)}`, start + done, total))
      const to = join(folder, entry.fileName)
      await mkdir(dirname(to), { recursive: true })
      // the upper half has the file's mode, where the wheel was made on Unix
      const mode = (entry.externalFileAttributes >>> 16) & 0o777 || 0o644
      const from = await zip.openReadStreamPromise(entry)
      // opened last: its failure would be no one's while something else is waited for
      const out = createWriteStream(to, { flush: true, mode })
      await pipeline(from, seen, out, { ...(signal && { signal }) })
    }
  } finally {
    zip.close()
  }
}

const PART = /^\.part-.*-(\d+)$/

/** Removes folders of the cache that have such a name, but for those that a living process unpacks into. */
const sweep = async (pattern: RegExp): Promise<readonly string[]> => {
  const names = existsSync(cacheFolder()) ? await readdir(cacheFolder()) : []
  const own = names.filter((name) => {
    const [, pid] = PART.exec(name) ?? []
    return pattern.test(name) && (pid === undefined || !isAlive(Number(pid)))
  })
  for (const name of own) await rm(join(cacheFolder(), name), { recursive: true })
  return own.map((name) => join(cacheFolder(), name))
}

/** Where a package's libraries come to lie, or why none are installed: not for this platform, or there already. */
export const placeFor = ({ wheel, from }: InstallOptions): E.Either<DiffeoError, string> => {
  const target = wheelFolder(wheel)
  const unfit = from === undefined ? platformError(thisPlatform()) : undefined
  if (unfit !== undefined) return E.left(unfit)
  return filesIn(join(target, 'tensorflow')) === undefined
    ? E.right(target)
    : E.left(engineError('engine install', 'nothing installed there', target, '`npx diffeo engine remove` removes it'))
}

const installed = async (options: InstallOptions): Promise<string> => {
  const { wheel, from, plan = planOf(wheel) } = options
  const target = orThrow(placeFor(options))
  await mkdir(cacheFolder(), { recursive: true })
  await sweep(PART)
  const work = join(cacheFolder(), `.part-${wheel}-${process.pid}`)
  const [wheels, library] = [join(work, 'wheels'), join(work, 'library')]
  try {
    await mkdir(library, { recursive: true })
    // one that is given may be of another platform or version, which is then the user's choice
    for (const file of from ?? []) await unpack(file, library, [], options)
    if (from === undefined) {
      // and more, since that is what they are packed
      await demand(bytesOf(plan))
      for (const pin of plan) {
        await mkdir(wheels)
        await unpack(await download(pin, plan, wheels, options), library, plan.slice(1), options)
        await rm(wheels, { recursive: true })
      }
    }
    if (filesIn(join(library, 'tensorflow')) === undefined)
      refuse(
        'a wheel of TensorFlow with its C API',
        (from ?? [wheel]).map((file) => basename(file)).join(', '),
        'use tensorflow or tensorflow-cpu for Linux, 2.15 or later',
      )
    // whatever lies there is not whole
    await rm(target, { recursive: true, force: true })
    await rename(library, target)
    return target
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const failure = (reason: unknown): DiffeoError =>
  reason instanceof DiffeoException
    ? reason.error
    : reason instanceof Error && reason.name === 'AbortError'
      ? engineError('engine install', 'no interruption', 'a signal; nothing was installed')
      : fileFailure('write', cacheFolder())(reason)

/** Installs a package's libraries; returns its folder. */
export const install = (options: InstallOptions): TE.TaskEither<DiffeoError, string> =>
  TE.tryCatch(() => installed(options), failure)

/** Removes what `install` added, and leftovers of an installation that was killed; returns the folders. */
export const removeInstalled = (): TE.TaskEither<DiffeoError, readonly string[]> =>
  TE.tryCatch(() => sweep(/^(\.part-)?tensorflow(-cpu)?-\d/), fileFailure('write', cacheFolder()))
