/**
 * The built site in a headless Chromium: no page has an error on its console or a serious fault of accessibility, every
 * internal link leads somewhere, and code shows its types. `npm run test:web -- site` runs only this;
 * `node test/web/site.mjs FOLDER` also writes pictures of the main pages into a folder.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { findChromium, startChromium } from './chromium.mjs'
import { serve } from './pages.mjs'

const folder = fileURLToPath(new URL('../../site/dist/', import.meta.url))
const axe = fileURLToPath(new URL('../../site/node_modules/axe-core/axe.min.js', import.meta.url))
/** The main pages: they are inspected in the dark too. */
const pictured = [
  '/',
  '/explanation/mathematics',
  '/examples/02-shape-errors',
  '/playground',
  '/reference/diffeo/functions/coupling',
]
/** Kilobytes, compressed, that the first page may load. */
const FIRST_PAGE = 200

const addressOf = (file) =>
  `/${file
    .replaceAll('\\', '/')
    .replace(/(^|\/)index\.html$/, '$1')
    .replace(/\.html$/, '')}`

const readPages = () =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.html') && file !== '404.html')
      .map((file) => [addressOf(file), readFileSync(join(folder, file), 'utf8')]),
  )

const decode = (text) => decodeURIComponent(text).replaceAll('&amp;', '&')

/** Links that lead to no page, no file or no heading. */
const brokenLinks = (pages) => {
  const ids = new Map(
    [...pages].map(([address, html]) => [address, new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
  )
  return [...pages].flatMap(([address, html]) => {
    const links = new Set([...html.matchAll(/<a [^>]*?href="([^"]*)"/g)].map(([, href]) => decode(href)))
    return [...links]
      .filter((href) => !/^[a-z]+:/.test(href))
      .filter((href) => {
        const [path, anchor] = href.split('#')
        const target = path === '' ? address : posix.resolve(address.endsWith('/') ? address : dirname(address), path)
        const page = ids.has(target) ? target : `${target}/`
        if (!ids.has(page)) return !existsSync(join(folder, target))
        return anchor !== undefined && anchor !== '' && !ids.get(page).has(anchor)
      })
      .map((href) => `${address}: the link ${href} leads nowhere`)
  })
}

/** What a page loads, in compressed kilobytes. */
const weigh = `new Promise((resolve) => setTimeout(resolve, 500)).then(() =>
  performance.getEntriesByType('resource').map(({ name }) => new URL(name)).filter(({ origin }) => origin === location.origin)
    .map(({ pathname }) => pathname))`

const weightOf = async (chromium, address) => {
  const { result } = await chromium.visit(address, { expression: weigh })
  const files = ['/index.html', ...new Set(result)]
  return files.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0) / 1000
}

/** What a page shows, and its serious faults of accessibility. */
const inspect = (script) => `(async () => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  const hovers = document.querySelectorAll('.twoslash-hover').length
  const code = document.querySelectorAll('.language-ts').length
  if (${script === ''}) return { hovers, code, faults: [] }
  ${script}
  const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa'] })
  return { hovers, code, faults: violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 120)).join(' | ')) }
})()`

/** How many types are shown after a pointer comes to the name `posterior`. */
const hover = `(async () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 500))
  await pause()
  const name = [...document.querySelectorAll('.twoslash-hover')].find(({ textContent }) => textContent === 'posterior')
  for (const node of [name, ...name.querySelectorAll('*')]) node.dispatchEvent(new MouseEvent('mouseenter'))
  await pause()
  return [...document.querySelectorAll('.v-popper__popper--shown')].map(({ textContent }) => textContent).join()
})()`

/** The playground: the compiler's message for a wrong shape, and what a training says and does to the page. */
const play = `(async () => {
  const until = async (done, seconds) => {
    for (let i = 0; i < 10 * seconds && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const output = () => document.querySelector('output')?.textContent
  await until(() => output() === 'Ready', 60)
  const editable = monaco.editor.getModels()[0]
  const program = editable.getValue()
  const markers = () => monaco.editor.getModelMarkers({})
  editable.setValue("import { compose, input, squeeze } from 'diffeo'\\ncompose(input([30, 30, 3]), squeeze, squeeze)\\n")
  await until(() => markers().length > 0, 30)
  const wrong = markers().map(({ startLineNumber, startColumn, message }) => [startLineNumber, startColumn, message].join(' '))
  editable.setValue(program)
  await until(() => markers().length === 0, 30)
  let longest = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
  }).observe({ type: 'longtask' })
  document.querySelector('.playground-bar button').click()
  await until(() => /^test NLL|expected|compile|rror/.test(output()), 240)
  return { wrong, output: output(), longest }
})()`

const checkPlayground = async (chromium, address) => {
  const { result, thrown, console: lines } = await chromium.visit(`${address}playground`, { expression: play })
  const { wrong, output, longest } = result ?? {}
  console.log(`     playground: ${output}; the longest task of the page took ${longest} ms`)
  const faults = lines
    .filter(({ level }) => level !== 'debug')
    .map(({ level, text }) => `/playground: ${level}: ${text}`)
  if (thrown !== undefined) faults.push(`/playground: ${thrown}`)
  if (wrong?.length !== 1 || !/^2 38 .*squeeze: expected an even height, got 15 in 15×15×12/.test(wrong[0]))
    faults.push(`/playground: expected the sentence at the second squeeze, got ${wrong}`)
  if (!(Number(/^test NLL ([\d.]+)/.exec(output)?.[1]) <= 0.45)) faults.push(`/playground: ${output}`)
  return faults
}

/** Runs tasks, four at a time. */
const each = async (items, task) => {
  const queue = [...items]
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item)
  }
  await Promise.all(Array.from({ length: 4 }, work))
}

const sizes = { desktop: [1280, 800], phone: [390, 844] }
const writePictures = async (chromium, address, into) => {
  mkdirSync(into, { recursive: true })
  for (const page of pictured)
    for (const [device, size] of Object.entries(sizes))
      for (const dark of [false, true]) {
        const options = { size, dark, picture: true, expression: 'new Promise((resolve) => setTimeout(resolve, 500))' }
        const { picture } = await chromium.visit(`${address}${page.slice(1)}`, options)
        const name = `${page.replaceAll('/', '-').replace(/^-|-$/g, '') || 'home'}-${device}-${dark ? 'dark' : 'light'}.png`
        writeFileSync(join(into, name), Buffer.from(picture, 'base64'))
      }
}

/** Returns what is wrong with the built site. */
export const checkSite = async (chromium, pictures) => {
  const pages = readPages()
  const faults = brokenLinks(pages)
  const { address, stop } = await serve(folder)
  const script = readFileSync(axe, 'utf8')
  let hovers = 0
  try {
    const weight = await weightOf(chromium, address)
    if (weight > FIRST_PAGE) faults.push(`the first page loads ${weight.toFixed(0)} kB, more than ${FIRST_PAGE}`)
    await each([...pages.keys()].entries(), async ([i, page]) => {
      // pages of the reference are alike
      const tested = !page.startsWith('/reference/') || i % 20 === 0 ? script : ''
      const { result, thrown, console } = await chromium.visit(`${address}${page.slice(1)}`, {
        expression: inspect(tested),
      })
      faults.push(
        ...console.filter(({ level }) => level !== 'debug').map(({ level, text }) => `${page}: ${level}: ${text}`),
      )
      if (thrown !== undefined) faults.push(`${page}: ${thrown}`)
      faults.push(...(result?.faults ?? []).map((fault) => `${page}: ${fault}`))
      if (result?.code > 0 && result.hovers === 0) faults.push(`${page}: code without types`)
      hovers += result?.hovers ?? 0
    })
    const { result: shown } = await chromium.visit(`${address}conditional`, { expression: hover })
    if (!shown?.includes('ConditionalFlow<readonly [2], readonly [2], readonly [2]>'))
      faults.push(`/conditional: expected the type of posterior on hover, got ${shown}`)
    await each(pictured, async (page) => {
      const { result } = await chromium.visit(`${address}${page.slice(1)}`, { expression: inspect(script), dark: true })
      faults.push(...(result?.faults ?? []).map((fault) => `${page}, dark: ${fault}`))
    })
    faults.push(...(await checkPlayground(chromium, address)))
    if (pictures !== undefined) await writePictures(chromium, address, pictures)
    console.log(
      `     site: ${pages.size} pages, ${hovers} types on hover, the first page loads ${weight.toFixed(0)} kB`,
    )
  } finally {
    stop()
  }
  return faults
}

/** Builds the site; returns what is wrong with it, where there is a browser. */
export const buildAndCheckSite = async (chromium) => {
  const { status, stderr } = spawnSync('npm run site', {
    encoding: 'utf8',
    shell: true,
    env: { ...process.env, DIFFEO_SITE_CHECK: '1' },
  })
  if (status !== 0) throw new Error(`npm run site ended with ${status}\n${stderr}`)
  return chromium === undefined ? [] : checkSite(chromium)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const chromium = await startChromium(findChromium())
  const faults = await checkSite(chromium, process.argv[2]).finally(chromium.stop)
  console.log(faults.join('\n'))
  process.exitCode = faults.length === 0 ? 0 : 1
}
