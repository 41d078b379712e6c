/** What the tests of data files share: folders that go away, sentences, and files made by hand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { type DiffeoError, describeError } from 'diffeo'
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { afterAll } from 'vitest'

/** A folder of a test file's own. */
export const ownFolder = (): ((...names: readonly string[]) => string) => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-data-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  return (...names) => join(folder, ...names)
}

export const said = async (task: TaskEither<DiffeoError, unknown>): Promise<string> =>
  E.match(describeError, () => 'accepted')(await task())

export const npyBytes = (header: string, data: Uint8Array): Uint8Array => {
  const text = header.padEnd(117, ' ')
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([118, 0]),
    Buffer.from(`${text}\n`),
    data,
  ])
}

/** A zip archive: every other entry deflated, or those that `deflated` names; the same bytes are packed once. */
export const zipBytes = (
  files: ReadonlyArray<readonly [name: string, bytes: Uint8Array]>,
  deflated: (i: number) => boolean = (i) => i % 2 === 1,
): Buffer => {
  const done = new Map<Uint8Array, Buffer>()
  const deflate = (bytes: Uint8Array): Buffer => {
    const packed = done.get(bytes) ?? deflateRawSync(bytes)
    done.set(bytes, packed)
    return packed
  }
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  files.forEach(([name, bytes], i) => {
    const packed = deflated(i) ? deflate(bytes) : Buffer.from(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(deflated(i) ? 8 : 0, 4)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(at, 10)
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, place, Buffer.from(name)]))
    parts.push(local)
    at += local.length
  })
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(files.length, 4)
  end.writeUInt16LE(files.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...parts, directory, Buffer.from('PK\x05\x06'), end])
}
