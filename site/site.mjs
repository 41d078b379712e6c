/**
 * `npm run site` builds the site into `site/dist`; `npm run site:dev` serves it and follows changes of pages. The site has
 * packages of its own, which the first run installs.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeExamples } from './examples.mjs'

const folder = fileURLToPath(new URL('.', import.meta.url))
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

const run = (command, ...args) => {
  const from = performance.now()
  const { status } = spawnSync(command, args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
  console.log(`${args.join(' ')}: ${((performance.now() - from) / 1000).toFixed(1)} s`)
}
const node = (path, ...args) => run(process.execPath, `node_modules/${path}`, ...args)

/** A picture with few colours, which is a third as large; as it is, where sharp is not installed. */
const writePicture = async (from, to) => {
  const sharp = await import('sharp').catch(() => undefined)
  if (sharp === undefined) copyFileSync(from, to)
  else await sharp.default(from).png({ palette: true, colours: 64 }).toFile(to)
}

const installed = `${folder}node_modules/.package-lock.json`
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${folder}package-lock.json`).mtimeMs)
  run(npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
rmSync(`${folder}generated`, { recursive: true, force: true })
writeExamples()
// its packages may have been installed just now
const { buildPlayground } = await import('./playground/build.mjs')
mkdirSync(`${folder}generated/public`)
await writePicture(`${folder}../docs/pictures/two-moons.png`, `${folder}generated/public/two-moons.png`)
await buildPlayground()
node('typedoc/bin/typedoc', '--options', 'reference/typedoc.json', '--treatWarningsAsErrors', '--logLevel', 'Warn')
node('vitepress/bin/vitepress.js', process.argv[2] ?? 'build', '.')
