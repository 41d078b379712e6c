/** Where the default engine is found, and what a user reads where it is not. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-loading-'))
afterAll(() => rmSync(folder, { recursive: true }))
const modules = join(folder, 'node_modules')
const platform = `${process.platform}-${process.arch}`
const runtime = join(modules, '@diffeo', `onnxruntime-${platform}`)

/** The package as installed without ONNX Runtime and koffi: a copy, since links would lead to the checkout's own packages. */
beforeAll(() => {
  cpSync('dist/src', join(modules, 'diffeo', 'dist', 'src'), { recursive: true })
  cpSync('package.json', join(modules, 'diffeo', 'package.json'))
  for (const name of readdirSync('node_modules'))
    if (!name.startsWith('.') && !['onnxruntime-node', 'koffi', 'diffeo'].includes(name))
      symlinkSync(resolve('node_modules', name), join(modules, name), 'junction')
})
afterEach(() => rmSync(join(modules, '@diffeo'), { recursive: true, force: true }))

const program = (before = '') => `${before}
const { ready } = await import('diffeo/engine')
const [{ name }] = [await ready(), await ready()]
console.log(name)`
const run = (text: string, env: Readonly<Record<string, string>> = {}) => {
  writeFileSync(join(folder, 'program.mjs'), text)
  const { stdout, stderr } = spawnSync('node', ['program.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, DIFFEO_ENGINE: '', ...env },
  })
  return [stdout, stderr]
}

it('our package for the platform brings the default engine', () => {
  mkdirSync(join(modules, '@diffeo'))
  const parent = join(folder, 'made')
  const { stderr } = spawnSync('node', ['scripts/runtime-packages.mjs', parent, platform], { encoding: 'utf8' })
  expect(stderr).toBe('')
  cpSync(join(parent, `onnxruntime-${platform}`), runtime, { recursive: true })
  expect(run(program())).toEqual(['onnxruntime\n', ''])
})

it('without one, a line says once what is missing and which command brings it', () => {
  const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8'))
  expect(run(program())).toEqual([
    'wasm\n',
    `diffeo: engine wasm, a slower one: engine onnxruntime: expected the package @diffeo/onnxruntime-${platform} ` +
      `or onnxruntime-node, got neither; run \`npm install onnxruntime-node@${version} --ignore-scripts\`\n`,
  ])
})

it('without koffi, TensorFlow names the package to install, and so does the command that lists its libraries', () => {
  const library = join(folder, 'library')
  mkdirSync(library)
  for (const name of ['libtensorflow_framework.so.2', 'libtensorflow_cc.so.2']) writeFileSync(join(library, name), '')
  const env = { DIFFEO_TENSORFLOW: library }
  const sentence = 'engine tensorflow: expected the package koffi, got no such package; run `npm install koffi`'
  const asked = `const { useEngine } = await import('diffeo/fp')
    const { left } = await useEngine('tensorflow')()
    console.log(Object.values(left).slice(1).join())`
  expect(run(asked, env)).toEqual(['engine tensorflow,the package koffi,no such package,run `npm install koffi`\n', ''])
  const list = `process.argv = [process.argv[0], '', 'engine', 'list']
    await import('./node_modules/diffeo/dist/src/cli/main.js')`
  const [stdout] = run(list, env)
  expect(stdout).toContain(sentence)
})

it('without koffi, the heartbeat alone locks the folder of a run, and the command trains', () => {
  const of = join(folder, 'run')
  const text = `
    const { readFileSync } = await import('node:fs')
    const { lockFolder } = await import('./node_modules/diffeo/dist/src/cli/run/lock.js')
    const options = { beat: 20, watch: 600 }
    const tried = () => lockFolder('.', options).then((lock) => lock, ({ message }) => message)
    const lock = await tried()
    console.log(JSON.parse(readFileSync('lock', 'utf8').split('\\n')[0]).flock)
    console.log((await tried()).includes('expected a folder that no other run uses'))
    lock.release()
    const next = await tried()
    console.log(next.isHeld())
    next.release()`
  expect(run(text)).toEqual(['false\ntrue\ntrue\n', ''])
  const flags = ['moons', '--steps', '3', '--validation', '0', '--no-report', '--engine', 'wasm', '--out', of]
  const [stdout, stderr] = run(`process.argv = [process.argv[0], '', 'train', ...${JSON.stringify(flags)}]
    await import('./node_modules/diffeo/dist/src/cli/main.js')`)
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^test [\d.]+ nats on/m)
  expect(readdirSync(of)).toContain('last.safetensors')
  expect(readdirSync(of)).not.toContain('lock')
})

// without top-level await, which `require` refuses
it.skipIf(!('require_module' in process.features))('is required from CommonJS', () => {
  const text = `
    const { createRequire } = await import('node:module')
    const d = createRequire(import.meta.url)('diffeo/engine')
    console.log((await d.ready()).name, d === (await import('diffeo/engine')))`
  const [stdout] = run(text, { DIFFEO_ENGINE: 'wasm', NODE_OPTIONS: '--disable-warning=ExperimentalWarning' })
  expect(stdout).toBe('wasm true\n')
})

it('an engine that was asked for needs no line', () => {
  expect(run(program(), { DIFFEO_ENGINE: 'wasm' })).toEqual(['wasm\n', ''])
})

it.each([
  ['freebsd', 'x64', 'freebsd-x64'],
  ['darwin', 'x64', 'darwin-x64'],
  ['linux', 's390x', 'linux-s390x'],
  ['linux', 'x64', 'linux-x64-musl', 'process.report.getReport = () => ({ header: {} })'],
])('on %s %s, a line says that there is no binary', (os, arch, got, more = '') => {
  const pretend = `
    Object.defineProperty(process, 'platform', { value: '${os}' })
    Object.defineProperty(process, 'arch', { value: '${arch}' })
    ${more}`
  const [stdout, stderr] = run(program(pretend))
  expect(stdout).toBe('wasm\n')
  expect(stderr).toMatch(
    /^diffeo: engine wasm, a slower one: engine onnxruntime: expected a platform with a binary [^\n]+\n$/,
  )
  expect(stderr).toContain(`got ${got}; use the engine 'wasm'`)
})

it('a package that does not load is named, with its reason', () => {
  mkdirSync(runtime, { recursive: true })
  writeFileSync(join(runtime, 'package.json'), '{ "main": "index.js" }')
  writeFileSync(join(runtime, 'index.js'), `throw new Error('libstdc++.so.6: not found')`)
  const [stdout, stderr] = run(program())
  expect(stdout).toBe('wasm\n')
  expect(stderr).toMatch(/^[^\n]+@diffeo\/onnxruntime-[^\n]+libstdc\+\+\.so\.6: not found[^\n]+\n$/)
})

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>
}
it('the repository asks for no package that is not published, and runs no install script', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
  // left over from an interrupted `npm pack`: node scripts/manifest.mjs restore
  expect(Object.keys(manifest.optionalDependencies).filter((name) => name.startsWith('@diffeo/'))).toEqual([])
  // npm 10 runs the scripts of the packages that are marked so; npm 11 warns of those that `allowScripts` does not name
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
  expect(Object.keys(packages).filter((name) => packages[name]?.hasInstallScript)).toEqual([])
  expect(manifest.allowScripts).toEqual({ koffi: false, 'onnxruntime-node': false })
})
it('npm knows every key of .npmrc', () => {
  const { stderr } = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', shell: true })
  expect(stderr).not.toContain('Unknown')
})
