/**
 * The argument `<data>`: the name of a data set, or the path of images.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Argument, InvalidArgumentError } from 'commander'
import { DiffeoException, usageError } from '../error.js'
import { dataNames } from './run/examples.js'

const PATHS = 'the path of a folder, a .zip archive or a .npy file of images'

/** An unknown name that looks like a path is taken for one, so that the error names the missing file. */
const parse = (text: string): string => {
  if (dataNames.includes(text) || /[./\\]/.test(text) || existsSync(text)) return text
  throw new InvalidArgumentError(`Allowed choices are ${dataNames.join(', ')}, or ${PATHS}.`)
}

/** The argument of commands that read data. */
export const dataArgument = (): Argument =>
  new Argument('<data>', `data set, density of the plane, or ${PATHS}`).choices(dataNames).argParser(parse)

const isArray = (path: string): boolean =>
  /\.np[yz]$/i.test(path) || (existsSync(path) && statSync(path).isDirectory() && existsSync(join(path, 'train.npy')))

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
  const stem = basename(resolve(argument)).replace(/\.(zip|npy)$/i, '')
  const name = isArray(argument) ? 'npy' : 'folder'
  return { name, flags: { ...flags, data: argument, out: flags.out ?? `runs/${stem}` } }
}
