/** Pages that train, as a user's project has them, and a server for what a bundler makes of them. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WORKER = "new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })"

/** A page that trains, itself and then in a worker; `#without` names no binary. */
const page = (lines, newWorker) => `${lines}
import { train, trainWithout } from './train.js'

const inWorker = () =>
  new Promise((resolve, reject) => {
    const worker = ${newWorker}
    worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data) : reject(data.error))
    worker.onerror = ({ message }) => reject(message)
  })
globalThis.result =
  location.hash === '#without' ? trainWithout() : train(url).then(async (page) => ({ page, worker: await inWorker() }))
`

const worker = (lines) => `${lines}
import { train } from './train.js'

train(url).then(postMessage, (error) => postMessage({ error: String(error.stack) }))
`

const html = (script) => `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script type="module" src="${script}"></script>
`

/** Writes a page and its worker into a folder; `lines` say what \`url\` is, \`script\` is what the page loads. */
export const writePages = (folder, lines, { script, newWorker = WORKER }) => {
  mkdirSync(folder, { recursive: true })
  copyFileSync(fileURLToPath(new URL('train.js', import.meta.url)), join(folder, 'train.js'))
  writeFileSync(join(folder, 'page.js'), page(lines, newWorker))
  writeFileSync(join(folder, 'worker.js'), worker(lines))
  writeFileSync(join(folder, 'index.html'), html(script))
}

const types = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/** The file of an address: a page may leave out its ending. */
const fileOf = (folder, { pathname }) => {
  const path = join(folder, decodeURIComponent(pathname))
  return [path, `${path}.html`, join(path, 'index.html')].find((file) => existsSync(file) && statSync(file).isFile())
}

/** Serves a folder on the loopback. */
export const serve = (folder, headers = {}) => {
  const server = createServer(({ url }, response) => {
    const path = fileOf(folder, new URL(url, 'http://localhost'))
    if (path === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'text/plain', ...headers })
    response.end(readFileSync(path))
  })
  const stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve({ address: `http://127.0.0.1:${server.address().port}/`, stop })),
  )
}

const missing =
  /^engine wasm: expected the file .*tfjs-backend-wasm(-threaded)?-simd\.wasm, got none that loads; .*\{ wasm: url \}/

/** What is wrong with a training in a page; undefined where it is right. */
export const faultOf = ({ name, losses, points, note } = {}) => {
  if (name !== 'wasm' || note !== undefined) return `engine ${name}: ${note}`
  if (losses.length !== 5 || !losses.every(Number.isFinite)) return `losses ${losses}`
  if (losses.some((loss, i) => loss >= losses[i - 1])) return `losses ${losses}: no progress`
  return points === 6 ? undefined : `${points} numbers of 3 points`
}

/** Opens the page both ways; returns what is wrong. */
export const tryPages = async (chromium, address) => {
  const good = await chromium.open(address)
  const lines = good.console.filter(({ level }) => level !== 'debug').map(({ level, text }) => `${level}: ${text}`)
  const faults = [good.thrown, faultOf(good.result?.page), faultOf(good.result?.worker), ...lines]
  const { result, thrown, console } = await chromium.open(`${address}#without`)
  if (!missing.test(result?.error)) faults.push(`without a url: ${thrown ?? result.error}`)
  if (result?.name !== 'cpu' || result.note !== result.error)
    faults.push(`without a url: ${result?.name}, ${result?.note}`)
  if (!console.some(({ text }) => text === `diffeo: engine cpu, a slower one: ${result.note}`))
    faults.push('without a url: no line on the console')
  return faults.filter((fault) => fault !== undefined)
}
