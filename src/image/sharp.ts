/**
 * The optional package sharp (libvips), which decodes and resizes pictures and draws SVG files. It is loaded on demand.
 *
 * @module
 */
import * as TE from 'fp-ts/lib/TaskEither.js'
import type Sharp from 'sharp'
import { type DiffeoError, fileError } from '../error.js'

/**
 * Imports the package.
 *
 * @returns left: a file error that says how to install it.
 */
export const importSharp = (operation: string): TE.TaskEither<DiffeoError, typeof Sharp> =>
  TE.tryCatch(
    async () => (await import('sharp')).default,
    (thrown) =>
      fileError(operation, 'the npm package sharp', String(thrown).split('\n', 1)[0]!, 'run `npm install sharp`'),
  )
