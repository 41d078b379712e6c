/**
 * The argument `<data>`: the name of a data set, or the path of images.
 *
 * @module
 */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Argument, InvalidArgumentError } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import { LARGEST_HEADER, parseHeader } from '../data/npy.js'
import { DiffeoException, usageError } from '../error.js'
import { isTable } from '../table/source.js'
import { dataNames, TABLE } from './run/examples.js'

const PATHS =
  'the path of a table (.csv, .tsv, .jsonl, .parquet, .npy, .npz), or of a folder, a .zip archive or a .npy file of images'

/** An unknown name that looks like a path is taken for one, so that the error names the missing file. */
const parse = (text: string): string => {
  if (dataNames.includes(text) || /[./\\]/.test(text) || existsSync(text)) return text
  throw new InvalidArgumentError(`Allowed choices are ${dataNames.join(', ')}, or ${PATHS}.`)
}

/** The argument of commands that read data. */
export const dataArgument = (): Argument =>
  new Argument('<data>', `data set, density of the plane, or ${PATHS}`).choices(dataNames).argParser(parse)

const isArray = (path: string): boolean =>
  /\.npy$/i.test(path) || (existsSync(path) && statSync(path).isDirectory() && existsSync(join(path, 'train.npy')))

/** Whether a `.npy` file has more than two dimensions, or none that can be read: the loader of images says what is wrong. */
const isImages = (path: string): boolean => {
  if (!/\.npy$/i.test(path)) return false
  if (!existsSync(path)) return true
  const start = Buffer.alloc(Math.min(LARGEST_HEADER, statSync(path).size))
  const file = openSync(path, 'r')
  readSync(file, start, 0, start.length, 0)
  closeSync(file)
  const header = parseHeader(path)(start)
  return E.isLeft(header) || header.right.shape.length > 2
}

interface PathFlags {
  readonly data?: string
  readonly out?: string
}

/**
 * The data set and the flags that an argument stands for: `photos` is `folder --data photos` with the run in
 * `runs/photos`.
 *
 * @throws DiffeoException with a usage error, if both the argument and `--data` name a path
 * @example namedData('photos.zip', {}) // { name: 'folder', flags: { data: 'photos.zip', out: 'runs/photos' } }
 */
export const namedData = <F extends PathFlags>(
  argument: string,
  flags: F,
): { readonly name: string; readonly flags: F } => {
  if (dataNames.includes(argument)) return { name: argument, flags }
  if (flags.data !== undefined)
    throw new DiffeoException(usageError('--data', `no path beside ${argument}`, flags.data, 'leave one of them out'))
  const isOfTable = isTable(argument) && !isImages(argument)
  const stem = basename(resolve(argument)).replace(isOfTable ? /\.\w+(\.gz)?$/ : /\.(zip|npy)$/i, '')
  const name = isOfTable ? TABLE : isArray(argument) ? 'npy' : 'folder'
  return { name, flags: { ...flags, data: argument, out: flags.out ?? `runs/${stem}` } }
}
