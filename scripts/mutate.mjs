/**
 * `npm run mutate -- [file or folder …] [--tests <file or folder>,…]`: changes one expression at a time and runs the
 * tests on each change. It prints the changes that no test notices.
 *
 * `test/train/fit.test.ts` tests `src/train/fit.ts`; if there is no such file, all of `test/train` does. `--tests`
 * names other tests. Without arguments it covers the five folders of the algebra, which takes hours. `npm test` does
 * not run it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

const FOLDERS = ['src/bijector', 'src/distribution', 'src/nn', 'src/tensor', 'src/train']

const { values, positionals } = parseArgs({ options: { tests: { type: 'string' } }, allowPositionals: true })
const targets = positionals.length > 0 ? positionals.map((path) => path.replace(/\/$/, '')) : FOLDERS
for (const path of targets)
  if (!existsSync(path)) {
    console.error(`mutate: expected a file or folder of src/, got '${path}'; for example src/train/optimiser.ts`)
    process.exit(2)
  }
const isFolder = (path) => statSync(path).isDirectory()
const glob = (path, files) => (isFolder(path) ? `${path}/**/${files}` : path)
const testsOf = (path) => {
  const mirror = path.replace(/^src/, 'test')
  if (isFolder(path)) return mirror
  const file = join(dirname(mirror), `${basename(mirror, '.ts')}.test.ts`)
  return existsSync(file) ? file : dirname(mirror)
}
const tests = values.tests?.split(',') ?? [...new Set(targets.map(testsOf))]
const mutated = targets.map((path) => glob(path, '*.ts')).join()
const { status } = spawnSync(join('node_modules', '.bin', 'stryker'), ['run', '--mutate', mutated], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  // Stryker's --testFiles skips changes to code that runs while a module loads
  env: { ...process.env, MUTATE_TESTS: tests.map((path) => glob(path, '*.test.ts')).join() },
})
process.exitCode = status ?? 1
