/**
 * `npm run test:install`: packs the package, installs it in an empty project with each package manager, scripts allowed
 * and refused, with every host but a registry on the loopback unreachable, and runs the README's program on the default
 * engine. `npm run test:install -- npm pnpm` runs the cases whose names start so. Needs npm's registry and 2 GB of disk.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import {
  makeEmptyPackage,
  makeRuntimePackage,
  optionalDependencies,
  platforms,
} from '../../scripts/runtime-packages.mjs'

const root = mkdtempSync(join(tmpdir(), 'diffeo-install-'))
const tarballs = join(root, 'tarballs')
const tools = join(root, 'tools')
const platform = `${process.platform}-${process.arch}`
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const runtime = optionalDependencies[`@diffeo/onnxruntime-${platform}`]

const must = (command, args, options = {}) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`)
  return stdout.trim()
}

// ---- what is installed --------------------------------------------------------------

/** Packs as `npm pack` does, in a copy, so that the checkout's own package.json is not touched. */
const pack = () => {
  const copy = join(root, 'copy')
  for (const part of ['dist/src', 'dist/types', 'README.md', 'CHANGELOG.md', 'LICENSE', 'package.json'])
    cpSync(part, join(copy, part), { recursive: true })
  must('node', ['scripts/manifest.mjs', 'pack', copy])
  mkdirSync(tarballs)
  const others = platforms.filter((other) => other !== platform)
  const runtimes = [makeRuntimePackage(platform, root), ...others.map((other) => makeEmptyPackage(other, root))]
  const folders = [copy, ...runtimes]
  for (const folder of folders) must('npm', ['pack', '--ignore-scripts', '--pack-destination', tarballs, folder])
}

/** The README's program in JavaScript, with few steps, and the engine printed. */
const program = () => {
  const [, text] = /## The same, step by step\n.*?```ts\n(.*?)```/s.exec(readFileSync('README.md', 'utf8'))
  const short = text.replaceAll('2000', '20').replace('await ready()', "console.log('engine', (await ready()).name)")
  const { outputText } = ts.transpileModule(short, { compilerOptions: { target: 'es2022', module: 'esnext' } })
  return outputText
}

// ---- package managers ---------------------------------------------------------------

const versions = { pnpm: '12.21.0', yarn: '1.22.22', '@yarnpkg/cli-dist': '4.18.1', bun: '1.4.5', npm10: 'npm:npm@10' }
const bin = (name, file) => [process.execPath, join(tools, 'node_modules', name, file)]
const spec = `diffeo@${version}`
const npm = ['npm']
const [npm10, pnpm] = [bin('npm10', 'bin/npm-cli.js'), [join(tools, 'node_modules', '.bin', 'pnpm')]]
const yarn = bin('yarn', 'bin/yarn.js')
const berry = bin('@yarnpkg/cli-dist', 'bin/yarn.js')
const bun = [join(tools, 'node_modules', '.bin', 'bun')]

/** name: the commands that install, and how the program is run. */
const cases = {
  npm: { install: [[...npm, 'install', spec]] },
  'npm without scripts': { install: [[...npm, 'install', '--ignore-scripts', spec]] },
  'npm 10': { install: [[...npm10, 'install', spec]] },
  pnpm: { install: [[...pnpm, 'add', spec]] },
  'pnpm without scripts': { install: [[...pnpm, 'add', '--ignore-scripts', spec]] },
  'yarn classic': { install: [[...yarn, 'add', spec]] },
  'yarn classic without scripts': { install: [[...yarn, 'add', '--ignore-scripts', spec]] },
  'yarn berry, node-modules': { install: [[...berry, 'add', spec]], linker: 'node-modules' },
  'yarn berry, pnp': { install: [[...berry, 'add', spec]], linker: 'pnp', run: [...berry, 'node'] },
  bun: { install: [[...bun, 'add', spec]] },
  'npm, our packages not found': { install: [[...npm, 'install', spec]], without: '@diffeo/', repair: npm },
  'pnpm, our packages not found': { install: [[...pnpm, 'add', spec]], without: '@diffeo/', repair: pnpm },
}

/** Every host but the loopback is behind a proxy that is not there. */
const environment = (registry, home) => {
  const proxy = 'http://127.0.0.1:9'
  const loopback = '127.0.0.1,localhost'
  const { PATH } = process.env
  return {
    PATH,
    HOME: home,
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    NO_PROXY: loopback,
    http_proxy: proxy,
    https_proxy: proxy,
    no_proxy: loopback,
    GLOBAL_AGENT_HTTPS_PROXY: proxy,
    npm_config_registry: registry,
    npm_config_cache: join(root, 'cache'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_NPM_MINIMAL_AGE_GATE: '0',
    YARN_GLOBAL_FOLDER: join(home, '.berry'),
    YARN_CACHE_FOLDER: join(root, 'yarn-cache'),
    npm_config_store_dir: join(root, 'pnpm-store'),
    BUN_INSTALL_CACHE_DIR: join(root, 'bun-cache'),
    COREPACK_ENABLE_STRICT: '0',
    CI: '1',
  }
}

const startRegistry = (without) => {
  const upstream = must('npm', ['config', 'get', 'registry'])
  const cafile = must('npm', ['config', 'get', 'cafile'])
  const env = { ...process.env, ...(cafile !== 'null' && { NODE_EXTRA_CA_CERTS: cafile }) }
  const child = spawn('node', ['test/install/registry.mjs', upstream, tarballs, '--without', without ?? ' '], { env })
  child.stderr.pipe(process.stderr)
  return new Promise((resolve) =>
    child.stdout.once('data', (line) => resolve({ address: `${line}`.trim(), stop: () => child.kill() })),
  )
}

/** Megabytes on disk. */
const weight = (folder) => Number.parseInt(must('du', ['-sm', folder]), 10)

const upstream = `onnxruntime-node@${runtime}`
/** What a user reads, and then runs. */
const adviceOf = new Map([
  [npm, `npm install ${upstream} --ignore-scripts`],
  [pnpm, `pnpm add ${upstream} --ignore-scripts`],
])

const check = async (name, { install, linker, run = ['node'], without, repair }) => {
  const project = join(root, name.replaceAll(/\W+/g, '-'))
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n')
  writeFileSync(join(project, 'program.mjs'), program())
  if (linker !== undefined) {
    writeFileSync(join(project, '.yarnrc.yml'), `nodeLinker: ${linker}\n`)
    writeFileSync(join(project, 'yarn.lock'), '')
  }
  const registry = await startRegistry(without)
  writeFileSync(join(project, '.npmrc'), `registry=${registry.address}/\n`)
  const env = environment(registry.address, project)
  const options = { cwd: project, env }
  const start = () => spawnSync(run[0], [...run.slice(1), 'program.mjs'], { encoding: 'utf8', ...options })
  try {
    for (const [command, ...args] of install) must(command, args, options)
    const modules = join(project, 'node_modules')
    const size = existsSync(modules) ? weight(modules) : undefined
    const before = start()
    const lines = before.stderr.trim().split('\n').filter(Boolean)
    const advice = adviceOf.get(repair)
    const isAdvised =
      advice === undefined ? lines.length === 0 : lines.length === 1 && lines[0].includes(`\`${advice}\``)
    if (before.status !== 0 || !isAdvised) return `${before.stdout}${before.stderr}`
    if (advice !== undefined) must(repair[0], [...repair.slice(1), ...advice.split(' ').slice(1)], options)
    const { status, stdout, stderr } = repair ? start() : before
    const works = status === 0 && stderr === '' && /^engine onnxruntime\ntest NLL [\d.]+\na sample /.test(stdout)
    if (!works) return `${stdout}${stderr}`
    if (size !== undefined && size > 200) return `${size} MB`
    return size === undefined ? true : `ok, ${size} MB`
  } catch (thrown) {
    return thrown.message
  } finally {
    registry.stop()
    rmSync(project, { recursive: true })
  }
}

try {
  must('npm', ['run', '--silent', 'build'])
  pack()
  const asked = process.argv.slice(2)
  const chosen = Object.entries(cases).filter(([name]) => asked.length === 0 || asked.some((a) => name.startsWith(a)))
  const wanted = Object.entries(versions).map(([name, v]) => `${name}@${v}`)
  must('npm', ['install', '--prefix', tools, '--no-audit', '--no-fund', ...wanted])
  let failed = 0
  for (const [name, how] of chosen) {
    const result = await check(name, how)
    const passed = result === true || /^ok, /.test(result)
    if (!passed) failed++
    console.log(`${passed ? 'ok  ' : 'FAIL'} ${name}: ${result}`)
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  rmSync(root, { recursive: true, force: true })
}
