/**
 * `about.json`: the commands that trained a run and their data, one entry for each training.
 *
 * @module
 */
import { createRequire } from 'node:module'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as J from 'fp-ts/lib/Json.js'
import * as t from 'io-ts'
import { orThrow } from '../../error.js'
import { readTextIfAny } from '../../file.js'
import { quoted } from '../flags.js'
import { writeJson } from './folder.js'

const About = t.array(
  t.intersection([
    t.type({ command: t.string, engine: t.string, versions: t.string, began: t.string }),
    t.partial({ data: t.string }),
  ]),
)
/**
 * The command line quoted for a shell, the description of the engine, the versions of diffeo and Node, the start (ISO
 * 8601), and what was verified of the data.
 */
export type About = Readonly<t.TypeOf<typeof About>>

/** More bytes than a thousand commands need. */
const LARGEST = 2 ** 24

/**
 * The entries of the file; none, if there is no such file or it holds something else.
 *
 * @throws DiffeoException with a file error, if the file cannot be read
 */
export const readAbout = async (path: string): Promise<About> =>
  pipe(
    J.parse(orThrow(await readTextIfAny(path, LARGEST)())),
    E.flatMap((u) => E.mapLeft(() => u)(About.decode(u))),
    E.getOrElse((): About => []),
  )

/** The version of this package. */
export const { version } = createRequire(import.meta.url)('diffeo/package.json') as { readonly version: string }

/** Adds an entry for the command that runs now. */
export const addAbout = async (path: string, engine: string, data: string | undefined): Promise<void> => {
  const entry = {
    command: ['diffeo', ...process.argv.slice(2).map(quoted)].join(' '),
    engine,
    versions: `diffeo ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    began: new Date().toISOString(),
    ...(data === undefined ? {} : { data }),
  }
  await writeJson(path, [...(await readAbout(path)), entry])
}
