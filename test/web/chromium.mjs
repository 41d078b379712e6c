/** A headless Chromium, driven over its DevTools protocol on a pipe: neither a package nor a port is needed. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const others = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/** The browser that `CHROME_BIN` names, or one that is installed; undefined where there is none. */
export const findChromium = () => {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const candidates = [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...others]
  return process.env['CHROME_BIN'] || candidates.find((path) => existsSync(path))
}

const flags = [
  '--headless',
  '--remote-debugging-pipe',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const textOf = ({ args }) => args.map(({ value, description }) => String(value ?? description)).join(' ')

/** Starts the browser. `open(url)` returns what the page's `globalThis.result` resolves to, and its console. */
export const startChromium = async (binary) => {
  const profile = mkdtempSync(join(tmpdir(), 'diffeo-chromium-'))
  const child = spawn(binary, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => child.once('close', resolve))
  const [, , , input, output] = child.stdio
  input.on('error', () => {})
  const waiting = new Map()
  const listeners = new Set()
  let received = ''
  output.setEncoding('utf8').on('data', (text) => {
    const messages = (received + text).split('\0')
    received = messages.pop()
    for (const message of messages.map((json) => JSON.parse(json))) {
      if (message.id === undefined) for (const listen of listeners) listen(message)
      else waiting.get(message.id)?.(message)
    }
  })
  let last = 0
  const send = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      const id = ++last
      exited.then(() => reject(new Error(`${binary} ended before ${method}`)))
      waiting.set(id, ({ error, result }) => {
        waiting.delete(id)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`)
    })

  /** The console of a page and its workers; each is listened to before it runs. */
  const listenTo = async (session, console) => {
    const sessions = new Set([session])
    const enable = async (id) => {
      await send('Runtime.enable', {}, id)
      await send('Log.enable', {}, id).catch(() => {})
      await send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }, id)
    }
    const listen = ({ method, params, sessionId }) => {
      if (!sessions.has(sessionId)) return
      if (method === 'Runtime.consoleAPICalled') console.push({ level: params.type, text: textOf(params) })
      if (method === 'Runtime.exceptionThrown')
        console.push({ level: 'error', text: params.exceptionDetails.exception?.description ?? 'an exception' })
      if (method === 'Log.entryAdded')
        console.push({ ...params.entry, text: `${params.entry.text} ${params.entry.url}` })
      if (method !== 'Target.attachedToTarget') return
      sessions.add(params.sessionId)
      // a worker may end before it is listened to
      const resume = () => send('Runtime.runIfWaitingForDebugger', {}, params.sessionId)
      enable(params.sessionId)
        .then(resume, () => {})
        .catch(() => {})
    }
    listeners.add(listen)
    await enable(session)
    return () => listeners.delete(listen)
  }

  /**
   * Opens a page, in a window of a size, light or dark; returns what an expression of it comes to, its console and, if
   * asked for, its picture.
   */
  const visit = async (url, { expression, size: [width, height] = [1280, 800], dark = false, picture = false }) => {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
    const console = []
    const leave = await listenTo(sessionId, console)
    const loaded = new Promise((resolve) => {
      const listen = (message) => {
        if (message.method !== 'Page.loadEventFired' || message.sessionId !== sessionId) return
        listeners.delete(listen)
        resolve()
      }
      listeners.add(listen)
    })
    try {
      await send('Page.enable', {}, sessionId)
      const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 600 }
      await send('Emulation.setDeviceMetricsOverride', metrics, sessionId)
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]
      await send('Emulation.setEmulatedMedia', { features }, sessionId)
      await send('Page.navigate', { url }, sessionId)
      await loaded
      const evaluated = { expression, awaitPromise: true, returnByValue: true }
      const { result, exceptionDetails } = await send('Runtime.evaluate', evaluated, sessionId)
      const thrown = exceptionDetails?.exception
      const { data } = picture ? await send('Page.captureScreenshot', {}, sessionId) : {}
      return { result: result.value, thrown: thrown?.description ?? thrown?.value, console, picture: data }
    } finally {
      leave()
      await send('Target.closeTarget', { targetId })
    }
  }
  const open = (url) => visit(url, { expression: 'globalThis.result' })

  const stop = async () => {
    await send('Browser.close').catch(() => {})
    await exited
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  return { open, visit, stop }
}
