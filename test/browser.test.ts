/** The package as a bundler takes it for browsers: no module of Node is left in it, and it trains where there is none. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import vm from 'node:vm'
import { build, createServer, type Rolldown } from 'vite'
import { afterAll, expect, it } from 'vitest'
import { findChromium, startChromium } from './web/chromium.mjs'
import { serve, tryPages, writePages } from './web/pages.mjs'

const page = `
import { atShape, compiled, flow, key, realNvpVector, standardNormal } from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { batch, foldIn, toArray } from 'diffeo/tensor'
import { adam, constantRate, evaluate, fit, startTraining } from 'diffeo/train'

const train = async () => {
  const { name } = await ready('cpu')
  const native = await ready('onnxruntime').catch(({ error }) => error)
  const density = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [8] })), standardNormal)
  const draw = (step) => batch([2], twoMoons().sample(foldIn(key(1), step), 64))
  const optimiser = adam()
  const start = await startTraining(density, optimiser, key(0), draw(0))
  const losses = []
  const validation = { batches: { count: 1, at: () => draw(999) }, every: 5 }
  for await (const event of fit(density, start, {
    optimiser, learningRate: constantRate(1e-2), batch: draw, steps: 30, validation,
  })) {
    if (event._tag === 'Validated') losses.push(event.nats)
    if (event._tag === 'Stopped') {
      if (event.error) throw new Error(JSON.stringify(event.error))
      const points = await toArray(await compiled(density).sample(event.state.params)(key(2), 3))
      return { name, native, losses, points: points.length, node: typeof process }
    }
  }
}
globalThis.done = train()
`

const folder = mkdtempSync(join(tmpdir(), 'diffeo-browser-'))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(resolve('.'), join(folder, 'node_modules', 'diffeo'), 'junction')
symlinkSync(resolve('node_modules/@tensorflow'), join(folder, 'node_modules', '@tensorflow'), 'junction')
afterAll(() => rmSync(folder, { recursive: true }))

it('is bundled without modules of Node, and trains without its globals', async () => {
  writeFileSync(join(folder, 'page.js'), page)
  const lib = { entry: join(folder, 'page.js'), formats: ['iife' as const], name: 'page' }
  const asked: string[] = []
  const made = await build({
    root: folder,
    plugins: [
      {
        name: 'modules of Node',
        enforce: 'pre',
        resolveId(source, importer = '') {
          // these say in their package.json, or find out, that browsers go without
          if (isBuiltin(source) && !/tfjs-(core|backend-wasm)|seedrandom|protobufjs/.test(importer))
            asked.push(`${source} from ${importer}`)
        },
      },
    ],
    configFile: false,
    logLevel: 'silent',
    build: { write: false, minify: false, lib },
  })
  const [bundle] = [made].flat() as [Rolldown.RolldownOutput]
  const [{ code, fileName, moduleIds, imports, dynamicImports }] = bundle.output
  expect([...imports, ...dynamicImports].filter((own) => own !== fileName)).toEqual([])
  expect(moduleIds.filter((id) => id.includes('dist/src')).length).toBeGreaterThan(50)
  expect(asked).toEqual([])
  // the field `browser` of package.json names the modules of fp-ts that bundlers can shake
  expect(moduleIds.filter((id) => id.includes('fp-ts/lib'))).toEqual([])

  const globals = { console, performance, setTimeout, clearTimeout, TextEncoder, TextDecoder, document: {} }
  const scope: Record<string, unknown> = vm.createContext({ ...globals })
  scope['window'] = scope['self'] = scope
  vm.runInContext(code, scope)
  const result = (await scope['done']) as Record<string, unknown> & { readonly losses: readonly number[] }
  expect(result).toMatchObject({
    name: 'cpu',
    native: { op: 'engine', expected: 'auto, webgpu, wasm, cpu' },
    points: 6,
    node: 'undefined',
  })
  expect(result.losses).toHaveLength(6)
  expect(result.losses.at(-1)).toBeLessThan(result.losses[0]!)
})

// `npm run test:web` does so with every bundler
it.skipIf(findChromium() === undefined)('trains on wasm in Chromium, in a page and in a worker', async () => {
  const root = join(folder, 'site')
  const [, line] = /^## Vite\n.*?^```js\n(.*?)\n```/ms.exec(readFileSync('docs/browsers.md', 'utf8'))!
  writePages(root, line!, { script: './page.js' })
  await build({ root, configFile: false, logLevel: 'silent' })
  const chromium = await startChromium(findChromium()!)
  const { address, stop } = await serve(join(root, 'dist'))
  try {
    expect(await tryPages(chromium, address)).toEqual([])
  } finally {
    stop()
    await chromium.stop()
  }
})

it('is built by the server of Vite, which asks for no package that is not installed', async () => {
  const root = join(folder, 'served')
  writePages(root, "const url = '/'", { script: './page.js' })
  // as the server does for a package that is installed and no link
  const optimizeDeps = { include: ['', '/data', '/engine', '/tensor', '/train'].map((name) => `diffeo${name}`) }
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    server: { middlewareMode: true, ws: false },
    cacheDir: join(root, 'cache'),
    optimizeDeps,
  })
  try {
    // the package as the server bundles it, and then looks for what it imports
    const page = await server.transformRequest('/train.js')
    const [, path] = /from "([^"]*\/diffeo_data\.js[^"]*)"/.exec(page!.code)!
    expect((await server.transformRequest(path!))?.code).toContain('twoMoons')
  } finally {
    await server.close()
  }
})
