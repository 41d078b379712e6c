/** The declarations that browsers get name no type of Node: a consumer without `@types/node` compiles them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-declarations-'))
afterAll(() => rmSync(folder, { recursive: true }))

it.each([['browser'], []])('compile without the types of Node (conditions: %s)', (...customConditions) => {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  rmSync(join(folder, 'node_modules', 'diffeo'), { force: true })
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'diffeo'), 'junction')
  const page = `import { ready } from 'diffeo/engine'
    import { batch } from 'diffeo/tensor'
    export const x = async () => { await ready('auto', { wasm: '/wasm/' }); return batch([2], [1, 2]) }`
  writeFileSync(join(folder, 'page.ts'), page)
  const compilerOptions = {
    ...{ target: 'es2022', lib: ['es2023', 'dom'], types: [], module: 'esnext', moduleResolution: 'bundler' },
    ...{ strict: true, noEmit: true, skipLibCheck: false, customConditions },
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.ts'] }))
  const compiler = resolve('node_modules/typescript-7/bin/tsc')
  const { stdout } = spawnSync('node', [compiler, '-p', folder], { encoding: 'utf8' })
  // those of dependencies are theirs: docs/dependencies.md
  const ours = stdout.split('\n').filter((line) => /^[^(]*page\.ts\(|^[^(]*dist\/(src|types)\//.test(line))
  expect(ours).toEqual([])
})
