/** The package as npm packs it, in a project of its own with nothing but its dependencies: `checkLaws` in node:test. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const run = promisify(execFile)
const project = mkdtempSync(join(tmpdir(), 'diffeo-packed-'))
const link = (name: string) => {
  const to = join(project, 'node_modules', name)
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(resolve('node_modules', name), to, 'junction')
}
/** What a script or test file of the project prints, and how it ends. */
const node = async (name: string, source: string, ...flags: readonly string[]) => {
  writeFileSync(join(project, name), source)
  return run(process.execPath, [...flags, name], { cwd: project, env: { PATH: process.env['PATH'] } }).then(
    ({ stdout, stderr }) => ({ code: 0, printed: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, printed: `${stdout}${stderr}` }),
  )
}

beforeAll(async () => {
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', project], {
    shell: process.platform === 'win32',
  })
  mkdirSync(join(project, 'node_modules', 'diffeo'), { recursive: true })
  const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  await run('tar', ['-xzf', `diffeo-${version}.tgz`, '--strip-components=1', '-C', 'node_modules/diffeo'], {
    cwd: project,
  })
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  Object.keys(dependencies).forEach(link)
})
afterAll(() => {
  rmSync(project, { recursive: true })
})

it('says in one sentence, without a stack, that fast-check is missing; diffeo itself does not need it', async () => {
  const { code, printed } = await node('missing.js', "import 'diffeo'\nimport 'diffeo/laws'\n")
  expect(code).toBe(1)
  expect(printed).toContain('run npm install --save-dev fast-check')
  expect(printed).not.toMatch(/^\s+at /m)
  expect(await node('alone.js', "import 'diffeo'\n")).toEqual({ code: 0, printed: '' })
})

it('passes in node:test for a right bijector, and fails with the sentence for a wrong one', async () => {
  link('fast-check')
  const { code, printed } = await node(
    'my.test.js',
    `import { test } from 'node:test'
import { affine, atShape, bijector } from 'diffeo'
import { ready } from 'diffeo/engine'
import { checkLaws } from 'diffeo/laws'

await ready('cpu')
const right = atShape([2], affine)
const forward = (p, x) => right.bind(p).forward(x)
const wrong = bijector({ ...right, name: 'wrong', forward, inverse: forward })
test('right', () => checkLaws(right, { runs: 2, seed: 1 }))
test('wrong', () => checkLaws(wrong, { runs: 2, seed: 1 }))
`,
    '--test-reporter=tap',
    '--test',
  )
  expect(code).toBe(1)
  expect(printed).toMatch(/^\s*ok \d - right/m)
  expect(printed).toMatch(/^\s*not ok \d - wrong/m)
  expect(printed).toMatch(
    /wrong breaks the mandatory law 'roundTrip': .+ expected .+, got .+repeat it with \{ seed: 1 \}/,
  )
})
