/**
 * The checksum of a checkpoint: a bit that a disk or a copy has changed is found, wherever it lies.
 *
 * Law: it depends on the metadata and on the names, shapes and values of the tensors alone, not on their order in the
 * file, so that another program may write the same contents anew.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, formatError } from '../error.js'
import { bytesOf, type Safetensors } from './safetensors.js'

const NAME = 'sha256'

const byName = <A>(entries: Iterable<readonly [string, A]>): readonly (readonly [string, A])[] =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1))

/** SHA-256, in hexadecimal digits, of all but itself. */
const checksum = ({ metadata, tensors }: Safetensors): string => {
  const hash = createHash('sha256').update(
    JSON.stringify(byName(Object.entries(metadata).filter(([name]) => name !== NAME))),
  )
  // the shapes tell where one tensor's bytes end
  for (const [name, { shape, data }] of byName(tensors))
    hash.update(JSON.stringify([name, shape])).update(bytesOf(data))
  return hash.digest('hex')
}

/** The same contents with their checksum. */
export const withChecksum = (contents: Safetensors): Safetensors => ({
  ...contents,
  metadata: { ...contents.metadata, [NAME]: checksum(contents) },
})

/** Refuses contents that are not those of their checksum; those without one are believed, as older versions made none. */
export const checked =
  (path: string) =>
  (contents: Safetensors): E.Either<DiffeoError, Safetensors> => {
    const wanted = contents.metadata[NAME]
    return wanted === undefined || wanted === checksum(contents)
      ? E.right(contents)
      : E.left(
          formatError(
            path,
            'what was saved, by its SHA-256',
            'other contents',
            'it is damaged: restore it from a copy',
          ),
        )
  }
