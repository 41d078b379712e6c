/**
 * `npm run test:realms` runs this after vitest: the same tests in jest, which is installed in a temporary folder. Needs
 * npm's registry.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const project = mkdtempSync(join(tmpdir(), 'diffeo-jest-'))
const shell = (line, env = {}) => {
  const options = { cwd: project, encoding: 'utf8', shell: true, env: { ...process.env, ...env } }
  const { status, stdout, stderr } = spawnSync(line, options)
  return { status, said: stdout + stderr }
}

/** A module of jest, and a CommonJS file, which has `import()` alone. */
const tests = {
  'module.test.mjs': `import { expect, it } from '@jest/globals'
import { declare } from './realm-tests.mjs'
declare({ it, expect })
`,
  'common.test.cjs': `it('is imported from CommonJS', async () => {
  const { ready } = await import('diffeo/engine')
  expect((await ready()).name).toBe('onnxruntime')
})
`,
}
const manifest = {
  private: true,
  jest: { testEnvironment: 'node', testTimeout: 60_000, transform: {}, testMatch: ['**/*.test.?js'] },
}

try {
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  const { status, said } = shell('npm install --ignore-scripts --no-audit --no-fund jest@30')
  if (status !== 0) throw new Error(said)
  symlinkSync(resolve('.'), join(project, 'node_modules', 'diffeo'), 'junction')
  for (const name of ['program.mjs', 'realm-tests.mjs']) cpSync(join('test/realms', name), join(project, name))
  for (const [name, text] of Object.entries(tests)) writeFileSync(join(project, name), text)
  const run = shell('npx jest --ci', { NODE_OPTIONS: '--experimental-vm-modules' })
  console.log(run.said)
  process.exitCode = run.status === 0 ? 0 : 1
} finally {
  rmSync(project, { recursive: true, force: true })
}
