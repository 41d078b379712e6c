/**
 * `npm run test:web`: installs the packed package and bundlers in a project, builds a page and a Web Worker in each way of
 * docs/browsers.md, and trains in them in a headless Chromium. Where none is installed, the pages are only built.
 * Then builds the site, and opens each of its pages (`site.mjs`).
 * `npm run test:web -- Vite site` runs the sections whose titles start so. Needs npm's registry.
 */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { findChromium, startChromium } from './chromium.mjs'
import { serve, tryPages, writePages } from './pages.mjs'
import { buildAndCheckSite } from './site.mjs'

const root = mkdtempSync(join(tmpdir(), 'diffeo-web-'))
const bundlers = [
  'vite@8.4.0',
  ...['webpack@5.113.0', 'webpack-cli@6.0.1'],
  'esbuild@0.28.2',
  ...[
    'rollup@4.68.8',
    '@rollup/plugin-url@8.0.2',
    '@rollup/plugin-node-resolve@16.0.3',
    '@rollup/plugin-commonjs@29.0.3',
  ],
]
/** How the pages of a section load their script, and the folder that is served. */
const sections = {
  Vite: { script: './page.js', served: 'dist', isolated: true },
  'webpack 5': { script: './dist/main.js', served: '.' },
  esbuild: { script: './dist/page.js', served: '.' },
  Rollup: { script: './dist/page.js', served: '.' },
  // a script that is no module, and so has no `import.meta`
  'Any bundler': { script: './dist/page.js', served: '.', isolated: true, newWorker: "new Worker('./dist/worker.js')" },
}

const shell = (line, cwd) => {
  const { status, stdout, stderr } = spawnSync(line, { encoding: 'utf8', cwd, shell: true })
  if (status !== 0) throw new Error(`${line} ended with ${status}\n${stdout}${stderr}`)
  return stdout + stderr
}

const text = readFileSync('docs/browsers.md', 'utf8')
/** The blocks of code in a section of the page. */
const blocksOf = (title) => {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`))
  return [...section.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language, code]) => ({ language, code }))
}

/** The kilobytes that a page loads of JavaScript, compressed, without its worker. */
const weight = (folder) => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.js') && !name.startsWith('worker'))
  return files.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name)), { level: 9 }).length, 0) / 1000
}

const startVite = async (project) => {
  const child = spawn(process.execPath, ['../node_modules/vite/bin/vite.js', '--host', '127.0.0.1'], {
    cwd: project,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  })
  let said = ''
  const address = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += chunk
      const [found] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said) ?? []
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error(said)))
  })
  return { address, stop: () => child.kill() }
}

const wasm = join(root, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist')

/** Builds the pages of a section; returns the folder of the project. */
const build = (title) => {
  const blocks = blocksOf(title)
  const project = join(root, title.replaceAll(' ', '-'))
  const [lines, config] = blocks.filter(({ language }) => language === 'js').map(({ code }) => code)
  writePages(project, lines, sections[title])
  if (config !== undefined) writeFileSync(join(project, 'rollup.config.js'), config)
  if (title === 'Any bundler') {
    mkdirSync(join(project, 'wasm'))
    for (const name of readdirSync(wasm).filter((file) => file.endsWith('.wasm')))
      copyFileSync(join(wasm, name), join(project, 'wasm', name))
  }
  // the folder with the binaries needs nothing of a bundler: a script as esbuild makes it unasked
  const [{ code: command } = { code: 'npx esbuild page.js worker.js --bundle --outdir=dist' }] = blocks.filter(
    ({ language }) => language === 'sh',
  )
  const said = shell(command.trim(), project)
  const complaint = /could not|can.t resolve|unresolved|critical dependency/i.exec(said)
  if (complaint !== null) throw new Error(said)
  return project
}

const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }

const check = async (title, chromium) => {
  const project = build(title)
  const { served, isolated } = sections[title]
  if (title === 'Vite') console.log(`     Vite: ${weight(join(project, 'dist', 'assets')).toFixed(1)} kB of JavaScript`)
  if (chromium === undefined) return []
  const starts = [() => serve(join(project, served))]
  if (isolated) starts.push(() => serve(join(project, served), isolation))
  if (title === 'Vite') starts.push(() => startVite(project))
  const faults = []
  for (const start of starts) {
    const { address, stop } = await start()
    faults.push(...(await tryPages(chromium, address).finally(stop)))
  }
  return faults
}

/** Packs the package, and installs it with the bundlers. */
const install = () => {
  shell('npm run --silent build', '.')
  shell(`npm pack --ignore-scripts --silent --pack-destination "${root}"`, '.')
  writeFileSync(join(root, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n')
  const tarball = readdirSync(root).find((name) => name.endsWith('.tgz'))
  shell(`npm install --ignore-scripts --no-audit --no-fund ./${tarball} ${bundlers.join(' ')}`, root)
}

const binary = findChromium()
if (binary === undefined) console.log('skipped: no Chromium was found, so pages are built and not run (set CHROME_BIN)')
const chromium = binary === undefined ? undefined : await startChromium(binary)
try {
  const asked = process.argv.slice(2)
  const chosen = [...Object.keys(sections), 'site'].filter(
    (title) => asked.length === 0 || asked.some((a) => title.startsWith(a)),
  )
  if (chosen.some((title) => title !== 'site')) install()
  let failed = 0
  for (const title of chosen) {
    const checked = title === 'site' ? buildAndCheckSite(chromium) : check(title, chromium)
    const faults = await checked.catch((thrown) => [thrown.stack])
    if (faults.length > 0) failed++
    console.log([`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${title}`, ...faults].join('\n     '))
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  await chromium?.stop()
  rmSync(root, { recursive: true, force: true })
}
