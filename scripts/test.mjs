/**
 * `npm test`: every check in one command, ending with the plain line `N passed, N failed`.
 * Each step that is not a test runner counts as one test. `npm test -- --only vitest` runs only the named steps.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const report = join(mkdtempSync(join(tmpdir(), 'diffeo-test-')), 'vitest.json')
const compiler = (name) => ['node', `node_modules/${name}/bin/tsc`, '-p', 'tsconfig.json']
const steps = {
  build: ['npm', 'run', '--silent', 'build'],
  lint: ['npx', 'biome', 'check', '--error-on-warnings', '.'],
  layers: ['node', 'scripts/layers.mjs'],
  'types 5.9': compiler('typescript-5.9'),
  'types 6.0': compiler('typescript'),
  'types 7.0': compiler('typescript-7'),
  naturals: ['node', 'scripts/nat-facts.mjs'],
  tsd: ['node', 'scripts/tsd.mjs'],
  messages: ['node', 'scripts/messages.mjs'],
  hovers: ['node', 'scripts/hovers.mjs'],
  'cost of types': ['node', 'scripts/perf.mjs'],
  docs: ['npx', 'typedoc', '--emit', 'none', '--treatWarningsAsErrors'],
  vitest: ['npx', 'vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
}

const only = process.argv[2] === '--only' ? process.argv.slice(3) : Object.keys(steps)
const run = (name) => {
  const [command, ...args] = steps[name]
  const from = performance.now()
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - from) / 1000).toFixed(1)} s)`)
  if (name !== 'vitest' || !existsSync(report)) return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 }
  const { numPassedTests, numFailedTests, success, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  rmSync(report)
  const slowest = testResults.flatMap(({ assertionResults }) => assertionResults)
  slowest.sort((a, b) => (b.duration ?? 0) - (a.duration ?? 0))
  console.log('the slowest tests:')
  for (const { duration, fullName } of slowest.slice(0, 10))
    console.log(`${((duration ?? 0) / 1000).toFixed(1).padStart(6)} s  ${fullName}`)
  // tests skip what the machine lacks, such as an optional engine
  const skipped = slowest.filter(({ status }) => !['passed', 'failed'].includes(status))
  if (skipped.length > 0) console.log(`${skipped.length} skipped:`)
  for (const { fullName } of skipped) console.log(`  ${fullName}`)
  return { passed: numPassedTests, failed: success && status === 0 ? 0 : Math.max(1, numFailedTests) }
}
const results = only.map(run)
const total = (key) => results.reduce((sum, r) => sum + r[key], 0)
console.log(`${total('passed')} passed, ${total('failed')} failed`)
process.exitCode = total('failed') === 0 ? 0 : 1
