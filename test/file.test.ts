import { execFileSync } from 'node:child_process'
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type * as TE from 'fp-ts/lib/TaskEither.js'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DiffeoError, describeError, orThrow } from '../src/error.js'
import { fileFailure, readBytes, writeFileAtomic } from '../src/file.js'
import { writePng } from '../src/image/png.js'

const sentence = async (run: TE.TaskEither<DiffeoError, unknown>): Promise<string> =>
  E.match(describeError, () => 'done')(await run())

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diffeo-file-'))
})
afterEach(async () => {
  await chmod(folder, 0o700)
  await rm(folder, { recursive: true })
})

describe('writeFileAtomic', () => {
  it('writes what readBytes reads, over an old file too, and leaves nothing beside it', async () => {
    const path = join(folder, 'a.bin')
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251)
    await writeFile(path, 'old')
    expect(await writeFileAtomic(path)(bytes)()).toEqual(E.right(undefined))
    expect(await readBytes(path)()).toEqual(E.right(bytes))
    expect(await readdir(folder)).toEqual(['a.bin'])
  })
  it('is not followed by a reader beyond the bytes that it takes', async () => {
    const path = join(folder, 'a.bin')
    await writeFile(path, Buffer.alloc(3_000_000, 7))
    // compared as bytes: value by value takes half a minute
    expect(Buffer.alloc(3_000_000, 7).equals(orThrow(await readBytes(path, 3_000_000)()))).toBe(true)
    const larger = (most: number) =>
      `read ${path}: expected a file of at most ${most} bytes, got a larger one; check that it is the file you mean`
    expect(await sentence(readBytes(path, 2_999_999))).toBe(larger(2_999_999))
    // a hole of 100 GB, which no memory holds
    await truncate(path, 1e11)
    expect(await sentence(readBytes(path, 1000))).toBe(larger(1000))
    expect(await sentence(readBytes(path))).toContain('expected a file of less than 2 GiB, got a larger one (ERR_FS')
    expect(await sentence(readBytes(folder, 1000))).toContain('got a folder (EISDIR)')
  })
  it('writes no bytes, and part of a larger buffer', async () => {
    const path = join(folder, 'a.bin')
    await writeFileAtomic(path)(new Uint8Array())()
    expect((await readFile(path)).length).toBe(0)
    await writeFileAtomic(path)(Uint8Array.of(1, 2, 3).subarray(1))()
    expect([...(await readFile(path))]).toEqual([2, 3])
  })
  it('says that a folder is missing', async () => {
    const path = join(folder, 'no', 'a.bin')
    expect(await sentence(writeFileAtomic(path)(new Uint8Array(1)))).toBe(
      `write ${path}: expected an existing folder, got none (ENOENT); create it: mkdir -p '${join(folder, 'no')}'`,
    )
  })
  it('says that the path is a folder', async () => {
    await mkdir(join(folder, 'sub'))
    expect(await sentence(writeFileAtomic(join(folder, 'sub'))(new Uint8Array(1)))).toContain(
      'expected a file, got a folder (EISDIR); add a file name to the path',
    )
    expect(await readdir(folder)).toEqual(['sub'])
  })
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('says that it may not write', async () => {
    await chmod(folder, 0o500)
    expect(await sentence(writeFileAtomic(join(folder, 'a.bin'))(new Uint8Array(1)))).toContain(
      'expected permission to write, got none (EACCES)',
    )
  })

  it.skipIf(process.platform === 'win32')('replaces a link, and does not follow it', async () => {
    const [path, target] = [join(folder, 'a.bin'), join(folder, 'other.bin')]
    await writeFile(target, 'other')
    for (const to of [target, join(folder, 'nothing.bin'), folder]) {
      await rm(path, { force: true })
      await symlink(to, path)
      expect(await writeFileAtomic(path)(Uint8Array.of(1))()).toEqual(E.right(undefined))
      expect([(await lstat(path)).isFile(), await readFile(target, 'utf8')]).toEqual([true, 'other'])
      expect((await readdir(folder)).sort()).toEqual(['a.bin', 'other.bin'])
    }
  })
  it.skipIf(process.platform === 'win32')('refuses a pipe, and a link to a device', async () => {
    const path = join(folder, 'a.bin')
    execFileSync('mkfifo', [path])
    const refused = `write ${path}: expected a file, got a device, pipe or socket; choose another path`
    expect(await sentence(writeFileAtomic(path)(new Uint8Array(1)))).toBe(refused)
    await rm(path)
    await symlink('/dev/null', path)
    expect(await sentence(writeFileAtomic(path)(new Uint8Array(1)))).toBe(refused)
  })
  it.skipIf(process.platform === 'win32')('keeps the mode of the file that it replaces', async () => {
    const path = join(folder, 'a.bin')
    await writeFile(path, 'old')
    await chmod(path, 0o640)
    await writeFileAtomic(path)(Uint8Array.of(1))()
    expect((await stat(path)).mode & 0o777).toBe(0o640)
  })
  it('begins under a new name each time, and flushes the file and then its folder', async () => {
    const probe = await open(folder, 'r')
    const prototype = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    const flushed: string[] = []
    const begun = new Set<string>()
    const { sync } = prototype
    const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      flushed.push((await this.stat()).isDirectory() ? 'folder' : 'file')
      for (const name of await readdir(folder)) if (name !== 'a.bin') begun.add(name)
      return sync.call(this)
    })
    for (let i = 0; i < 3; i++) await writeFileAtomic(join(folder, 'a.bin'))(Uint8Array.of(i))()
    spy.mockRestore()
    expect(flushed).toEqual(Array.from({ length: 3 }, () => ['file', 'folder']).flat())
    expect(begun.size).toBe(3)
  })

  // A file size limit makes the system take a part of a write and refuse the rest, as a full disk does.
  const limit = (size: string) => execFileSync('prlimit', [`--fsize=${size}:`, '--pid', `${process.pid}`])
  it.skipIf(process.platform !== 'linux')('keeps the old file when the system stops half way', async () => {
    const path = join(folder, 'a.bin')
    await writeFile(path, 'old')
    const ignore = () => undefined
    process.on('SIGXFSZ', ignore)
    limit('65536')
    const said = await sentence(writeFileAtomic(path)(new Uint8Array(1 << 20))).finally(() => {
      limit('unlimited')
      process.off('SIGXFSZ', ignore)
    })
    expect(said).toContain('expected a file within the size limit, got a larger one (EFBIG)')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['a.bin'])
  })
})

describe('fileFailure', () => {
  it.each([
    ['ENOSPC', 'write f: expected room on the disk, got a full disk (ENOSPC); free some space or choose another path'],
    ['EROFS', 'write f: expected a file system that can be written, got a read-only one (EROFS); choose another path'],
    ['EACCES', 'write f: expected permission to write, got none (EACCES); change its permissions or choose another'],
  ])('%s', (code, words) =>
    expect(describeError(fileFailure('write', 'f')(Object.assign(new Error('x'), { code })))).toContain(words),
  )
  it('passes on what it does not know', () =>
    expect(describeError(fileFailure('read', 'f')(new Error('x')))).toBe('read f: expected to read it, got Error: x'))
})

describe('readBytes and writePng', () => {
  it('say that a file is missing', async () =>
    expect(await sentence(readBytes(join(folder, 'none')))).toContain(
      'expected a file, got nothing there (ENOENT); check the path',
    ))
  it('write nothing for an image that is none', async () => {
    const image = { width: 1, height: 1, channels: 1, data: new Uint8Array() } as const
    expect(await sentence(pipe(image, writePng(join(folder, 'a.png'))))).toContain('png: expected at least one pixel')
    expect(await readdir(folder)).toEqual([])
  })
})
