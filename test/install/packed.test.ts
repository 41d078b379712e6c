/** What `npm pack` packs: the build of the sources as they are, and nothing from an earlier build. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-packed-'))
afterAll(() => rmSync(folder, { recursive: true }))

const write = (...names: readonly string[]) => {
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), '')
  }
}

const prune = () => {
  const { status, stderr } = spawnSync('node', ['scripts/prune.mjs', folder], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  const files = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
  return files.map((name) => name.replaceAll('\\', '/')).sort()
}

it('a build removes what earlier layouts left in dist, and keeps everything else', () => {
  write('src/file.ts', 'src/cli/main.ts', 'types/shape.ts')
  const built = ['src/file.js', 'src/file.d.ts', 'src/cli/main.js', 'src/cli/main.d.ts', 'types/shape.d.ts']
  const stale = ['src/engine/index.js', 'src/engine/index.d.ts', 'src/renamed.js', 'test/old.js', 'src/file.js.map']
  write(...[...built, ...stale, '.tsbuildinfo'].map((name) => `dist/${name}`))
  const kept = [...built, '.tsbuildinfo', 'src', 'src/cli', 'types']
  expect(prune()).toEqual(kept.sort())
  expect(JSON.parse(readFileSync('package.json', 'utf8')).scripts.build).toMatch(/^node scripts\/prune\.mjs && tsc /)
})

it('a source whose result is missing is built again', () => {
  rmSync(join(folder, 'dist', 'src', 'file.js'))
  expect(prune()).not.toContain('.tsbuildinfo')
})

it('no dist is a first build', () => {
  rmSync(join(folder, 'dist'), { recursive: true })
  expect(spawnSync('node', ['scripts/prune.mjs', folder]).status).toBe(0)
})

it('every packed program has a source, and every source is packed', () => {
  const { stdout } = spawnSync('npm pack --dry-run --json --ignore-scripts', { encoding: 'utf8', shell: true })
  const [{ files }] = JSON.parse(stdout) as [{ files: readonly { readonly path: string }[] }]
  const packed = files.map(({ path }) => path).filter((path) => path.startsWith('dist/'))
  const sourceOf = (path: string) => path.slice('dist/'.length).replace(/(\.d\.ts|\.js)$/, '.ts')
  expect(packed.filter((path) => !existsSync(sourceOf(path)))).toEqual([])
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const expected = sources.filter((name) => !name.endsWith('.d.ts')).map((name) => `dist/src/${name.slice(0, -3)}.js`)
  expect(expected.map((path) => path.replaceAll('\\', '/')).filter((path) => !packed.includes(path))).toEqual([])
})
