/**
 * Pictures inside a zip archive, read one by one without unpacking it. yauzl reads the directory once; for each picture
 * its local header and its bytes are read, inflated to no more than the directory says, and compared with their checksum
 * (CRC-32), which detects damaged downloads.
 *
 * Source: PKWARE, APPNOTE.TXT 6.3, sections 4.3.7 and 4.3.12.
 *
 * @module
 */
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { openPromise } from 'yauzl'
import { type DiffeoError, DiffeoException, formatError } from '../error.js'
import { messageOf } from '../thrown.js'
import { fileSize, withFile } from './records.js'

/** The position of an entry in its archive, and how it is packed. */
export interface ZipEntry {
  readonly name: string
  readonly header: number
  readonly packed: number
  readonly plain: number
  readonly deflated: boolean
  /** CRC-32 of the plain bytes. */
  readonly sum: number
}

/** A larger entry is refused before any memory is taken for it. */
const LARGEST = 2 ** 26

const FIX = 'download it again'

/** The wanted entries, in the order of the directory. */
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
 * @returns left: a file error, if it cannot be read; a format error, if it is damaged or not a zip archive.
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
        (thrown) => formatError(path, 'a whole zip archive', messageOf(thrown), FIX),
      ),
    ),
  )

const LOCAL_HEADER = 30

const inflate = promisify(inflateRaw)

/**
 * The bytes of one entry. The archive is opened for it, so no file stays open.
 *
 * @throws DiffeoException (as a rejection) if the archive changed after it was listed
 */
export const readZip = (path: string, entry: ZipEntry): Promise<Uint8Array> =>
  withFile(path, async (file) => {
    const { name, header, packed, plain, deflated, sum } = entry
    const refuse = (got: string) => new DiffeoException(formatError(`${path}: ${name}`, 'a whole entry', got, FIX))
    const take = async (length: number, position: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length)
      const { bytesRead } = await file.read(bytes, 0, length, position)
      return bytes.subarray(0, bytesRead)
    }
    const local = await take(LOCAL_HEADER, header)
    if (local.length < LOCAL_HEADER || local.readUInt32LE(0) !== 0x04034b50) throw refuse('another header')
    const stored = await take(packed, header + LOCAL_HEADER + local.readUInt16LE(26) + local.readUInt16LE(28))
    if (stored.length < packed) throw refuse(`${stored.length} of its ${packed} bytes`)
    // One chunk with room to spare: Node would otherwise join chunks, which takes the memory twice.
    const bytes = deflated
      ? await inflate(stored, { maxOutputLength: plain, chunkSize: plain + 64 }).catch((thrown: unknown) => {
          throw refuse(String(thrown))
        })
      : stored
    if (crc32(bytes) !== sum) throw refuse('other bytes than its CRC-32 says')
    return bytes
  })
