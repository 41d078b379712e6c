/**
 * Values of another realm, such as a sandbox of `node:vm` makes: their classes are not those of this one. And all of
 * diffeo in such a realm: jest runs these tests in `npm run test:realms`.
 */
import { spawnSync } from 'node:child_process'
import vm from 'node:vm'
import * as main from 'diffeo'
import * as data from 'diffeo/data'
import * as engine from 'diffeo/engine'
import * as image from 'diffeo/image'
import * as T from 'diffeo/tensor'
import * as training from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'

const d = { ...T, ...data, ...engine, ...image, ...training, ...main, T }
const foreign = (code: string) => vm.runInNewContext(code)

describe.each(['onnxruntime', 'wasm', 'cpu'] as const)('on %s', (engine) => {
  beforeAll(() => d.ready(engine))

  it.each([
    'new Float32Array([1, 2, 3, 4])',
    'new Float64Array([1, 2, 3, 4])',
    'new Uint8Array([1, 2, 3, 4])',
    '[1, 2, 3, 4]',
  ])('a batch is made of %s', async (code) => {
    const x = d.batch([2], foreign(code))
    expect([...(await d.toArray(x))]).toEqual([1, 2, 3, 4])
  })

  it('trains, evaluates and samples with foreign numbers and options', async () => {
    const density = d.flow(
      d.atShape([2], d.realNvpVector(foreign('({ couplings: 2, hidden: [8] })'))),
      d.standardNormal,
    )
    const draw = () => d.batch([2], foreign('Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i))'))
    const optimiser = d.adam()
    const start = await d.startTraining(density, optimiser, d.key(0), draw())
    const options = { optimiser, learningRate: d.constantRate(1e-2), batch: draw, steps: 3 }
    for await (const event of d.fit(density, start, options)) {
      if (event._tag !== 'Stopped') continue
      expect(event.error).toBeUndefined()
      const { params } = event.state
      const { nats } = await d.evaluate(density, params, { count: 1, at: draw })
      expect(nats).toBeGreaterThan(0)
      expect(await d.toArray(await d.compiled(density).sample(params)(d.key(4), 1))).toHaveLength(2)
    }
  })
})

it('compiles functions of foreign lists and objects', async () => {
  await d.ready('cpu')
  const x = d.batch([2], [1, 2])
  const tree = foreign('(x) => ({ list: [x, 2], text: "a" })')(x)
  const exp = d.jit(({ list: [a] }: { readonly list: readonly [typeof x] }) => d.T.exp(a))
  const [first, second] = await d.toArray(await exp(tree))
  expect(first).toBeCloseTo(Math.E, 5)
  expect(second).toBeCloseTo(Math.E ** 2, 5)
})

it('reads foreign bytes', async () => {
  const bytes = (from: Uint8Array): Uint8Array => foreign('(list) => Uint8Array.from(list)')([...from])
  const data = Uint8Array.from({ length: 12 }, (_, i) => i)
  const picture = d.encodePng({ width: 2, height: 2, channels: 3, data: bytes(data) })
  expect([...d.encodePng({ width: 2, height: 2, channels: 3, data })]).toEqual([...picture])
  const set = d.inMemory({ name: 'one', shape: [2, 2, 3], images: bytes(data) })
  expect([...(await set.read(foreign('Uint32Array.of(0)')))]).toEqual([...data])
  const tensors = new Map([['w', { shape: [3], data: foreign('Float32Array.of(1, 2, 3)') as Float32Array }]])
  const file = d.encodeSafetensors({ tensors, metadata: {} })
  const read = d.decodeSafetensors(bytes(file), 'file')
  expect([...read.tensors.get('w')!.data]).toEqual([1, 2, 3])
})

it('names a foreign promise of parameters', () => {
  const density = d.flow(d.atShape([2], d.realNvpVector({ couplings: 2, hidden: [8] })), d.standardNormal)
  const x = d.batch([2], [1, 2])
  expect(() => density.logProb(foreign('Promise.resolve({})'))(x)).toThrow('got a promise of one')
})

it('runs in the sandbox of vitest', () => {
  const { status, stdout, stderr } = spawnSync('npx vitest run --config test/realms/vitest.config.mjs', {
    encoding: 'utf8',
    shell: true,
  })
  expect(status, stdout + stderr).toBe(0)
})

it('where a DOM of a test runner replaces the classes of Node, a sentence says so', async () => {
  const native = globalThis.Uint8Array
  try {
    globalThis.Uint8Array = foreign('Uint8Array')
    const { error } = (await d.ready('onnxruntime').catch((thrown: unknown) => thrown)) as main.DiffeoException
    expect(Object.values(error).slice(1).join()).toBe(
      "engine onnxruntime,Node's own Uint8Array,another, as jsdom's,test in the environment 'node'",
    )
  } finally {
    globalThis.Uint8Array = native
  }
})
