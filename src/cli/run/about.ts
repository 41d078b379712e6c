/**
 * `about.json`: which commands made a run, on what. One entry for each time that it was trained.
 *
 * @module
 */
import { createRequire } from 'node:module'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import type { DiffeoError } from '../../error.js'
import { readTextIfAny } from '../../file.js'
import { quoted } from '../flags.js'
import { writeJson } from './folder.js'

const About = t.array(
  t.intersection([
    t.type({ command: t.string, engine: t.string, versions: t.string, began: t.string }),
    t.partial({ data: t.string }),
  ]),
)
/** The command line as a shell takes it, the engine's own line, the versions of diffeo and Node, when it began (ISO 8601), and what was verified of the data. */
export type About = Readonly<t.TypeOf<typeof About>>

/** More than a thousand commands need. */
const LARGEST = 2 ** 24

/** What is known; nothing, if there is no such file or another one. */
export const readAbout = (path: string): TE.TaskEither<DiffeoError, About> =>
  pipe(
    readTextIfAny(path, LARGEST),
    TE.map((text) =>
      pipe(
        J.parse(text),
        E.flatMap((u) => E.mapLeft(() => u)(About.decode(u))),
        E.getOrElse((): About => []),
      ),
    ),
  )

/** The version of this package. */
export const { version } = createRequire(import.meta.url)('diffeo/package.json') as { readonly version: string }

/** Adds what runs just now. */
export const addAbout = (path: string, engine: string, data: string | undefined): TE.TaskEither<DiffeoError, void> =>
  pipe(
    readAbout(path),
    TE.map((before) => [
      ...before,
      {
        command: ['diffeo', ...process.argv.slice(2).map(quoted)].join(' '),
        engine,
        versions: `diffeo ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
        began: new Date().toISOString(),
        ...(data === undefined ? {} : { data }),
      },
    ]),
    TE.flatMap(writeJson(path)),
  )
