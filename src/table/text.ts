/**
 * Text files as streams, packed or not.
 *
 * @module
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DiffeoException, formatError } from '../error.js'
import { fileFailure } from '../file.js'
import { codeOf, messageOf } from '../thrown.js'

const CHUNK = 2 ** 20

const refuseUtf16 = async (path: string): Promise<void> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    const marks = bytesRead >= 2 && [0xfeff, 0xfffe].includes(buffer.readUInt16BE(0))
    if (marks) throw new DiffeoException(formatError(path, 'text in UTF-8', 'text in UTF-16', 'save it as UTF-8'))
    if (buffer.subarray(0, bytesRead).includes(0))
      throw new DiffeoException(formatError(path, 'text', 'binary data', 'check that it is the file you mean'))
  } finally {
    await file.close()
  }
}

/** An error of a stream as a sentence. */
export const streamFailure = (path: string, thrown: unknown): DiffeoException => {
  if (thrown instanceof DiffeoException) return thrown
  return new DiffeoException(
    codeOf(thrown)?.startsWith('Z_')
      ? formatError(path, 'a complete gzip file', messageOf(thrown), 'download it again')
      : fileFailure('read', path)(thrown),
  )
}

/** The text of a file. A name that ends in `.gz` is unpacked on the way. */
export const textOf = async (path: string): Promise<Readable> => {
  const isPacked = /\.gz$/i.test(path)
  try {
    if (!isPacked) await refuseUtf16(path)
  } catch (thrown) {
    throw streamFailure(path, thrown)
  }
  const bytes = createReadStream(path, { highWaterMark: CHUNK })
  if (!isPacked) return bytes.setEncoding('utf8')
  const unpacked = createGunzip({ chunkSize: CHUNK })
  // an error of either ends the other, and reaches the reader of `unpacked`
  pipeline(bytes, unpacked, () => undefined)
  return unpacked.setEncoding('utf8')
}
