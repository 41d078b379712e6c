/** The package as a bundler takes it for browsers: no module of Node is left in it, and it trains where there is none. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import vm from 'node:vm'
import { build, type Rolldown } from 'vite'
import { afterAll, expect, it } from 'vitest'

const page = `
import { adam, compiled, constantRate, batch, evaluate, fit, flow, foldIn, key, on, orThrow, ready, realNvpVector,
  standardNormal, startTraining, twoMoons, useEngine, values } from 'diffeo'

const train = async () => {
  const { name } = await ready('cpu')
  const native = await useEngine('onnxruntime')()
  const density = flow(on([2], realNvpVector({ couplings: 2, hidden: [8] })), standardNormal)
  const draw = (step) => orThrow(batch([2], twoMoons().sample(foldIn(key(1), step), 64)))
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
      const points = await values(await compiled(density).sample(event.state.params)(key(2), 3))
      return { name, native: native.left, losses, points: points.length, node: typeof process }
    }
  }
}
globalThis.done = train()
`

const folder = mkdtempSync(join(tmpdir(), 'diffeo-browser-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('is bundled without modules of Node, and trains without its globals', async () => {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'diffeo'), 'dir')
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
