import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

/** What `scripts/layers.mjs` says of these files. */
const lint = (files: Readonly<Record<string, string>>) => {
  const root = mkdtempSync(join(tmpdir(), 'diffeo-layers-'))
  for (const [path, text] of Object.entries({ 'types/shape.ts': '', ...files })) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const { status, stderr } = spawnSync(process.execPath, ['scripts/layers.mjs', root], { encoding: 'utf8' })
  rmSync(root, { recursive: true })
  return { status, lines: stderr.trim().split('\n').filter(Boolean) }
}

it('imports point down', () => {
  expect(lint({ 'src/jit.ts': "import './backends/a.js'", 'src/backends/a.ts': "import '../compiler/b.js'" })).toEqual({
    status: 0,
    lines: [],
  })
})
it.each([
  ['src/compiler/passes/a.ts', "import { b } from '../../backends/b.js'"],
  ['src/backends/a.ts', "export * from '../jit.js'"],
  ['src/nn/a.ts', "import '../train/b.js'"],
  ['src/nn/a.ts', "import type { B } from '../bijector/b.js'"],
  ['src/train/a.ts', "const b = await import('../backends/b.js')"],
  ['types/a.ts', "import { b } from '../src/tensor/b.js'"],
])('%s may not import up: %s', (path, text) => {
  const { status, lines } = lint({ 'src/error.ts': '', [path]: text })
  expect(status).toBe(1)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(new RegExp(`^${path}: expected imports of .*, got \\w+; move the code down a layer`))
})
