/**
 * Pictures inside a zip archive, taken out one by one where they lie, without unpacking it: the directory is read once,
 * by yauzl; a picture is then its local header, its bytes, their inflation to no more than the directory says, and their
 * checksum (CRC-32), which finds what a download has damaged.
 *
 * Source: PKWARE, APPNOTE.TXT 6.3, sections 4.3.7 and 4.3.12.
 *
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { crc32, inflateRawSync } from 'node:zlib'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { openPromise } from 'yauzl'
import { type DiffeoError, DiffeoException, formatError } from '../error.js'
import { fileFailure } from '../file.js'
import { fileSize } from './records.js'

/** Where an entry lies, and how. */
interface ZipEntry {
  readonly name: string
  readonly header: number
  readonly packed: number
  readonly plain: number
  readonly deflated: boolean
  /** CRC-32 of the plain bytes. */
  readonly sum: number
}

/** No picture is larger, so that an entry that says so is refused before anything is made for it. */
const LARGEST = 2 ** 26

const FIX = 'download it again'

/** The entries whose names are wanted, in the order of the directory. */
const directory = async (path: string, wanted: (name: string) => boolean): Promise<readonly ZipEntry[]> => {
  const zip = await openPromise(path)
  try {
    const entries: ZipEntry[] = []
    for await (const entry of zip.eachEntry()) {
      const { fileName: name, compressionMethod, compressedSize: packed, uncompressedSize: plain, crc32: sum } = entry
      if (!wanted(name)) continue
      if (!entry.canDecodeFileData() || Math.max(packed, plain) > LARGEST)
        throw new Error(`${name} is encrypted, packed in an unknown way, or larger than ${LARGEST} bytes`)
      const deflated = compressionMethod === 8
      entries.push({ name, header: entry.relativeOffsetOfLocalHeader, packed, plain, deflated, sum })
    }
    return entries
  } finally {
    zip.close()
  }
}

/**
 * The entries of a zip archive with these names.
 *
 * @returns left: a file error, if it cannot be read; a format error, if it is no zip archive or a damaged one.
 */
export const listZip = (
  path: string,
  wanted: (name: string) => boolean,
): TE.TaskEither<DiffeoError, readonly ZipEntry[]> =>
  pipe(
    fileSize(path),
    TE.flatMap(() =>
      TE.tryCatch(
        () => directory(path, wanted),
        (thrown) =>
          formatError(path, 'a whole zip archive', thrown instanceof Error ? thrown.message : `${thrown}`, FIX),
      ),
    ),
  )

const LOCAL_HEADER = 30

/**
 * The bytes of entries, read at once, since what follows, decoding, is what takes time.
 *
 * @throws DiffeoException if the archive is not what it was when it was listed
 */
export const readZip = (path: string, entries: readonly ZipEntry[]): readonly Buffer[] => {
  const refuse = (name: string, got: string) =>
    new DiffeoException(formatError(`${path}: ${name}`, 'a whole entry', got, FIX))
  try {
    const file = openSync(path, 'r')
    try {
      const take = (length: number, position: number): Buffer => {
        const bytes = Buffer.alloc(length)
        return bytes.subarray(0, readSync(file, bytes, 0, length, position))
      }
      const unpacked = ({ name, header, packed, plain, deflated }: ZipEntry): Buffer => {
        const local = take(LOCAL_HEADER, header)
        if (local.length < LOCAL_HEADER || local.readUInt32LE(0) !== 0x04034b50) throw refuse(name, 'another header')
        const bytes = take(packed, header + LOCAL_HEADER + local.readUInt16LE(26) + local.readUInt16LE(28))
        if (bytes.length < packed) throw refuse(name, `${bytes.length} of its ${packed} bytes`)
        if (!deflated) return bytes
        try {
          return inflateRawSync(bytes, { maxOutputLength: plain })
        } catch (thrown) {
          throw refuse(name, String(thrown))
        }
      }
      return entries.map((entry) => {
        const bytes = unpacked(entry)
        if (crc32(bytes) !== entry.sum) throw refuse(entry.name, 'other bytes than its CRC-32 says')
        return bytes
      })
    } finally {
      closeSync(file)
    }
  } catch (thrown) {
    throw thrown instanceof DiffeoException ? thrown : new DiffeoException(fileFailure('read', path)(thrown))
  }
}
