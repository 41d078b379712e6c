/**
 * Runs the type tests, `types/test-d/*.test-d.ts`, on the built declarations: with tsd, and with the other compilers
 * that users have. The assertions of the canary are wrong on purpose; the run fails unless each is reported. It also
 * fails if no `expectType` mentions an operation or a bijector.
 */
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import packaged from 'tsd'
import { failuresUnder, files } from './assertions.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
// paths are relative to the package, where tsd looks for package.json and tsconfig.json
const byTsd = async () => {
  const found = await packaged.default({
    cwd: root,
    typingsFile: 'dist/src/index.d.ts',
    testFiles: ['types/test-d/*.test-d.ts', 'types/test-d/canary.ts'],
  })
  return found.map((error) => ({ ...error, name: basename(error.fileName) }))
}

const canary = files.find(({ name }) => name === 'canary.ts').asserted.map(({ from }) => from)
const judge = (compiler, found) => {
  const caught = new Set(found.flatMap(({ name, line }) => (name === 'canary.ts' ? [line] : [])))
  const missed = canary.filter((line) => !caught.has(line)).map((line) => `canary.ts:${line}: not caught`)
  const wrong = found.filter(({ name }) => name !== 'canary.ts')
  return [...missed, ...wrong.map(({ name, line, column, message }) => `${name}:${line}:${column}: ${message}`)].map(
    (failure) => `${compiler}: ${failure}`,
  )
}

/** The exported names of `T`, `Diffeo`, and of the modules of bijectors and premade flows. */
const exported = async () => {
  const load = (path) => import(pathToFileURL(join(root, 'dist', 'src', path)).href)
  const index = await load('index.js')
  const modules = ['bijector', 'models'].flatMap((folder) =>
    readdirSync(join(root, 'dist', 'src', folder)).flatMap((name) =>
      name.endsWith('.js') ? [`${folder}/${name}`] : [],
    ),
  )
  const values = await Promise.all(modules.map(load))
  const names = values.flatMap((module) => Object.keys(module).filter((name) => index[name] === module[name]))
  return [
    ...names,
    ...Object.keys(await load('tensor/ops.js')).map((name) => `T.${name}`),
    ...Object.keys(index.Diffeo).map((name) => `Diffeo.${name}`),
  ]
}
const asserted = new Set(
  files.flatMap(({ asserted }) =>
    asserted.flatMap(({ name, about }) =>
      name === 'expectType' ? (about.match(/(?:\b(?:T|Diffeo)\.)?\w+/g) ?? []) : [],
    ),
  ),
)
const bare = (await exported()).filter((name) => !asserted.has(name))

const compilers = {
  'tsd (5.9)': byTsd,
  '6.0': () => failuresUnder('typescript'),
  '7.0': () => failuresUnder('typescript-7'),
}
const judged = await Promise.all(
  Object.entries(compilers).map(async ([compiler, check]) => judge(compiler, await check())),
)
const failures = [...judged.flat(), ...bare.map((name) => `no expectType mentions ${name}`)]
for (const failure of failures) console.error(failure)
console.log(`type tests under ${Object.keys(compilers).join(', ')}: ${failures.length} failures`)
process.exitCode = failures.length === 0 && canary.length > 0 ? 0 : 1
