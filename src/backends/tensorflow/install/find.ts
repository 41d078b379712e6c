/**
 * Where TensorFlow's library is: a folder that `DIFFEO_TENSORFLOW` names, what `diffeo engine install` brought, or what
 * an installed `@tensorflow/tfjs-node(-gpu)` did.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { DiffeoException, engineError, NotInstalled } from '../../../error.js'
import type { LibraryFiles } from '../library.js'
import { VERSION, WHEELS, type Wheel } from './wheels.js'

/** A library that was found, and who brought it. */
export interface Found extends LibraryFiles {
  readonly origin:
    | '--folder'
    | 'DIFFEO_TENSORFLOW'
    | 'engine install'
    | '@tensorflow/tfjs-node-gpu'
    | '@tensorflow/tfjs-node'
  readonly folder: string
}

/** Where `engine install` puts its folders: `DIFFEO_CACHE`, else the platform's place for such things. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env['DIFFEO_CACHE'] ||
  (process.platform === 'win32'
    ? join(env['LOCALAPPDATA'] || join(homedir(), 'AppData', 'Local'), 'diffeo', 'Cache')
    : process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches', 'diffeo')
      : join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'diffeo'))

/** The folder of an installed package. Inside it lies what would lie in `site-packages`, where the libraries look for each other. */
export const wheelFolder = (wheel: Wheel): string => join(cacheFolder(), `${wheel}-${VERSION}`)

const names =
  process.platform === 'darwin'
    ? { framework: 'libtensorflow_framework.2.dylib', cc: 'libtensorflow_cc.2.dylib', c: 'libtensorflow.2.dylib' }
    : { framework: 'libtensorflow_framework.so.2', cc: 'libtensorflow_cc.so.2', c: 'libtensorflow.so.2' }

/** The CUDA libraries that pip puts beside TensorFlow, but for the parts of cuDNN, which it loads by itself. */
const cudaBeside = (folder: string): readonly string[] => {
  const root = join(folder, '..', 'nvidia')
  if (!existsSync(root)) return []
  return readdirSync(root).flatMap((name) => {
    const lib = join(root, name, 'lib')
    const own = existsSync(lib) ? readdirSync(lib).filter((file) => /^lib(?!cudnn_)[^.]+\.so\.\d+$/.test(file)) : []
    return own.map((file) => join(lib, file))
  })
}

/** The library in a folder, be it a wheel's or that of a libtensorflow archive. */
export const filesIn = (folder: string): LibraryFiles | undefined => {
  const framework = join(folder, names.framework)
  const api = [names.cc, names.c].map((name) => join(folder, name)).find(existsSync)
  return existsSync(framework) && api !== undefined ? { framework, api, cuda: cudaBeside(folder) } : undefined
}

const packageFolder = (name: string): string | undefined => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'deps', 'lib')
  } catch {
    return undefined
  }
}

/** Every library on this machine, best first. */
export const findLibraries = (env: NodeJS.ProcessEnv = process.env): readonly Found[] => {
  const asked = env['DIFFEO_TENSORFLOW']
  const places: readonly (readonly [Found['origin'], string | undefined])[] = [
    ['DIFFEO_TENSORFLOW', asked],
    ...WHEELS.toReversed().map((wheel) => ['engine install', join(wheelFolder(wheel), 'tensorflow')] as const),
    ['@tensorflow/tfjs-node-gpu', packageFolder('@tensorflow/tfjs-node-gpu')],
    ['@tensorflow/tfjs-node', packageFolder('@tensorflow/tfjs-node')],
  ]
  return places.flatMap(([origin, folder]) => {
    const files = folder === undefined || folder === '' ? undefined : filesIn(folder)
    return files === undefined ? [] : [{ ...files, origin, folder: folder! }]
  })
}

/** The best library; throws what to do where there is none. */
export const findLibrary = (env: NodeJS.ProcessEnv = process.env): Found => {
  const asked = env['DIFFEO_TENSORFLOW']
  const [best] = findLibraries(env)
  if (asked && best?.origin !== 'DIFFEO_TENSORFLOW')
    throw new DiffeoException(
      engineError(
        'engine tensorflow',
        `${names.framework} and ${names.cc} in DIFFEO_TENSORFLOW`,
        `a folder without them: ${asked}`,
        'name the folder that holds both files, or leave the variable out',
      ),
    )
  if (best === undefined)
    throw new NotInstalled(
      engineError('engine tensorflow', 'the library of TensorFlow', 'none', 'run `npx diffeo engine install`'),
    )
  return best
}
