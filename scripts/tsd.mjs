/**
 * The type tests, `types/test-d/*.test-d.ts`, by tsd over the built declarations. The canary goes first: each of its
 * assertions is wrong on purpose, and if one is not reported then nothing that tsd says here means anything.
 */
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import packaged from 'tsd'

const root = fileURLToPath(new URL('..', import.meta.url))
// Relative to the package, where tsd looks for package.json and tsconfig.json.
const found = await packaged.default({
  cwd: root,
  typingsFile: 'dist/src/index.d.ts',
  testFiles: ['types/test-d/*.test-d.ts', 'types/test-d/canary.ts'],
})

const isCanary = ({ fileName }) => fileName.endsWith('canary.ts')
const caught = new Set(found.filter(isCanary).map(({ line }) => line))
const missed = readFileSync(join(root, 'types', 'test-d', 'canary.ts'), 'utf8')
  .split(/\r?\n/)
  .flatMap((text, i) =>
    text.startsWith('expect') && !caught.has(i + 1) ? [`canary.ts:${i + 1}: not caught: ${text}`] : [],
  )
const failures = [
  ...missed,
  ...found
    .filter((d) => !isCanary(d))
    .map(({ fileName, line, column, message }) => `${relative(root, fileName)}:${line}:${column}: ${message}`),
]
for (const failure of failures) console.error(failure)
console.log(`tsd: ${failures.length} failures, ${caught.size} of the canary's lines caught`)
process.exitCode = failures.length === 0 && caught.size > 0 ? 0 : 1
