import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import {
  affine,
  atShape,
  classMixture,
  compose,
  coupling,
  type Flow,
  flow,
  halves,
  input,
  key,
  type Latents,
  mlp,
  realNvp,
  realNvpVector,
  type Shape,
  key as seed,
  standardLogistic,
  standardNormal,
} from 'diffeo'
import { onnxFunctions, toOnnx, toOnnxSampler } from 'diffeo/engine'
import { orThrow, saveCheckpoint } from 'diffeo/fp'
import { normalArray, uniformArray, unwrap } from 'diffeo/tensor'
import { disposeState, startTraining } from 'diffeo/train'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runOnnx } from '../../src/backends/onnxruntime/backend.js'
import { exportRun } from '../../src/cli/commands/export.js'
import { configure } from '../../src/cli/run/config-flags.js'
import { modelOf } from '../../src/cli/run/model.js'
import { trust } from '../../src/tensor/tensor.js'
import { randomParams } from '../support.js'
import { diffeo, ioOf } from './support.js'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-export-'))
afterAll(() => rmSync(folder, { recursive: true }))

const near = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length)
  const top = Array.from(b).reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3)
  Array.from(a).forEach((v, i) => {
    expect(Math.abs(v - b[i]!) / top).toBeLessThan(1e-4)
  })
}

const images = flow(atShape([4, 4, 2], realNvp({ scales: 2, width: 8, blocks: 1 })), standardNormal)
const points = flow(
  compose(input([2]), coupling(halves(), mlp({ hidden: [8] })), coupling(halves('second'), mlp({ hidden: [8] }))),
  standardNormal,
)

describe('an ONNX file', () => {
  it.each([
    ['of images', images, 32, (n: number) => uniformArray(key(n), n * 32).map((u) => 255 * u)],
    ['of points', points, 2, (n: number) => normalArray(key(n), n * 2)],
  ] as const)(
    'has the density, the latents and the inverse of the flow for any batch, %s',
    async (_, f, size, draw) => {
      const params = randomParams(f.bijector as never, key(1), 0.1)
      const { density, inverse } = onnxFunctions(f as typeof points, params)
      const files = [toOnnx(density), toOnnx(inverse)]
      for (const bytes of files) expect(Buffer.from(bytes).includes('com.microsoft')).toBe(false)
      const [forward, back] = (await Promise.all(files.map(runOnnx))) as [
        Awaited<ReturnType<typeof runOnnx>>,
        Awaited<ReturnType<typeof runOnnx>>,
      ]
      for (const n of [1, 3, 8]) {
        const x = draw(n)
        expect(x.length).toBe(n * size)
        const shape = [n, ...f.bijector.domain]
        const out = await forward([{ name: 'x', shape, data: x }])
        const wanted = (f as typeof points).logProb(params)(trust(tf.tensor(x, shape)))
        near(out['log_prob']!, unwrap(wanted).dataSync())
        const z = density.run([tf.tensor(x, shape)]).slice(1, -1)
        const latents = z.map((t, i) => ({ name: `z${i}`, shape: t.shape, data: out[`z${i}`]! }))
        const again = await back(latents)
        near(again['x']!, x)
        near(
          again['log_det']!,
          out['log_det']!.map((v) => -v),
        )
      }
    },
  )
  it.each([
    ['images', images],
    ['points', points],
  ] as const)('draws as many %s as it is asked for, from the latents that it says', async (_, f) => {
    const params = randomParams(f.bijector as never, key(1), 0.1)
    const { sampler, fromLatents } = onnxFunctions(f as typeof points, params)
    const bytes = toOnnxSampler(sampler)
    expect(Buffer.from(bytes).includes('com.microsoft')).toBe(false)
    const model = await runOnnx(bytes)
    const draw = (n: number, temperature: number) =>
      model([
        { name: 'n', shape: [], data: BigInt64Array.of(BigInt(n)) },
        { name: 'temperature', shape: [], data: Float32Array.of(temperature) },
      ])
    const latents = (out: Awaited<ReturnType<typeof draw>>, n: number) =>
      fromLatents.inputs.map(({ name, shape }) => tf.tensor(out[name]!, [n, ...shape]))
    for (const [n, temperature] of [
      [1, 1],
      [7, 0.5],
    ] as const) {
      const out = await draw(n, temperature)
      const z = latents(out, n).map((t) => trust<Shape>(t))
      const [x] = f.bijector.bind(params).inverse((z.length === 1 ? z[0] : z) as never)
      near(out['x']!, unwrap(x as never).dataSync())
      near(out['log_prob']!, unwrap((f as typeof points).logProb(params)(x as never)).dataSync())
    }
    // normals of the temperature's deviation, others in each latent and at each call
    const n = 4000
    const [one, two] = [await draw(n, 0.5), await draw(n, 0.5)]
    for (const { name } of fromLatents.inputs) {
      const { mean, variance } = tf.moments(tf.tensor1d(one[name]!))
      expect(Math.abs(mean.dataSync()[0]!)).toBeLessThan(0.03)
      expect(Math.abs(variance.dataSync()[0]! - 0.25)).toBeLessThan(0.03)
      expect(one[name]).not.toEqual(two[name])
    }
    const [first, second] = fromLatents.inputs
    if (second !== undefined) expect(one[first!.name]!.slice(0, 9)).not.toEqual(one[second.name]!.slice(0, 9))
  })
  it('of a conditional flow takes a context for each example', async () => {
    const f = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] }), { given: [3] }), standardNormal)
    const params = randomParams(f.bijector as never, key(1), 0.3)
    const { density, inverse, sampler } = onnxFunctions(f, params)
    const [forward, back] = [await runOnnx(toOnnx(density)), await runOnnx(toOnnx(inverse))]
    const draw = await runOnnx(toOnnxSampler(sampler))
    for (const n of [1, 5]) {
      const given = { name: 'given', shape: [n, 3], data: normalArray(key(n), 3 * n) }
      const x = { name: 'x', shape: [n, 2], data: normalArray(key(n + 1), 2 * n) }
      const out = await forward([x, given])
      const context = trust<readonly ['N', 3]>(tf.tensor(given.data, [n, 3]))
      const at = f.given(context)
      near(out['log_prob']!, unwrap(at.logProb(params)(trust(tf.tensor(x.data, [n, 2])))).dataSync())
      const again = await back([{ name: 'z0', shape: [n, 2], data: out['z0']! }, given])
      near(again['x']!, x.data)
      const drawn = await draw([
        { name: 'n', shape: [], data: BigInt64Array.of(BigInt(n)) },
        { name: 'temperature', shape: [], data: Float32Array.of(1) },
        given,
      ])
      near(drawn['log_prob']!, unwrap(at.logProb(params)(trust(tf.tensor(drawn['x']!, [n, 2])))).dataSync())
    }
  })
  it('of a flow at a context holds that context, for its base too', async () => {
    const f = flow(atShape([2], realNvpVector({ couplings: 2, hidden: [4] }), { given: [2] }), classMixture(2))
    const params = randomParams({ spec: f.spec } as never, key(1), 0.3)
    const at = f.given(trust<readonly ['N', 2]>(tf.tensor([0, 1], [1, 2])))
    const { density, sampler } = onnxFunctions(at, params)
    const x = normalArray(key(2), 6)
    const out = await (await runOnnx(toOnnx(density)))([{ name: 'x', shape: [3, 2], data: x }])
    near(out['log_prob']!, unwrap(at.logProb(params)(trust(tf.tensor(x, [3, 2])))).dataSync())
    const drawn = await (await runOnnx(toOnnxSampler(sampler)))([
      { name: 'n', shape: [], data: BigInt64Array.of(4n) },
      { name: 'temperature', shape: [], data: Float32Array.of(1) },
    ])
    near(drawn['log_prob']!, unwrap(at.logProb(params)(trust(tf.tensor(drawn['x']!, [4, 2])))).dataSync())
  })
  it('of another base draws from it', async () => {
    const f = flow(atShape([1], affine), standardLogistic)
    const params = randomParams(f.bijector as never, key(1), 0)
    const draw = await runOnnx(toOnnxSampler(onnxFunctions(f, params).sampler))
    const n = 20_000
    for (const temperature of [1, 0.5]) {
      const { z0 } = await draw([
        { name: 'n', shape: [], data: BigInt64Array.of(BigInt(n)) },
        { name: 'temperature', shape: [], data: Float32Array.of(temperature) },
      ])
      const variance = z0!.reduce((sum, v) => sum + v * v, 0) / n
      expect(Math.abs(variance / ((temperature ** 2 * Math.PI ** 2) / 3) - 1)).toBeLessThan(0.06)
    }
  })
  it.each([
    [true, false],
    [false, true],
    [true, true],
  ])('holds products whose sides are transposed, %s and %s', async (first, second) => {
    const weights = tf.tensor(normalArray(key(2), 15), second ? [5, 3] : [3, 5])
    const run = ([x]: tf.Tensor[]) => [
      tf.matMul(x!, tf.tile(tf.expandDims(weights, 0), [x!.shape[0]!, 1, 1]), first, second),
    ]
    const bytes = toOnnx({ inputs: [{ name: 'x', shape: first ? [3, 4] : [4, 3] }], outputs: ['y'], run })
    expect(Buffer.from(bytes).includes('com.microsoft')).toBe(false)
    const model = await runOnnx(bytes)
    for (const n of [1, 2]) {
      const [shape, data] = [first ? [n, 3, 4] : [n, 4, 3], normalArray(key(n), n * 12)]
      const out = await model([{ name: 'x', shape, data }])
      near(out['y']!, run([tf.tensor(data, shape)])[0]!.dataSync())
    }
  })
  it('is refused for what cannot be traced', () => {
    const run = ([x]: tf.Tensor[]) => [tf.scalar(x!.dataSync()[0]!)]
    expect(() => toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run })).toThrow('reads a value')
  })
})

describe('diffeo export', () => {
  const run = join(folder, 'run')
  beforeAll(async () => {
    const { mkdir } = await import('node:fs/promises')
    await mkdir(run)
    const config = configure({ name: 'mnist' }, { shape: [28, 28, 1] }, { width: 2, blocks: 0 })
    const own = await modelOf(config)
    const x = trust<readonly ['N', ...number[]]>(
      tf.tensor(
        uniformArray(key(2), 2 * 784).map((u) => u * 255),
        [2, 28, 28, 1],
      ),
    )
    for (const [i, name] of ['last', 'best'].entries()) {
      const state = await startTraining(own.flow as Flow<Shape, Latents>, own.optimiser, seed(i), x)
      const snapshot = { state, flow: own.flow, config }
      orThrow(await saveCheckpoint(join(run, `${name}.safetensors`))(snapshot)())
      disposeState(state)
    }
  })
  it('writes the files and says that they were checked', async () => {
    const said: string[] = []
    const to = join(folder, 'model.onnx')
    const before = tf.memory().numTensors
    const drawn: string[] = []
    await exportRun({ run, to }, ioOf(said, [], undefined, drawn))
    expect(drawn.at(-1)).toMatch(/checking: 15 examples, [\d.]+ examples\/s, 0:00 left/)
    expect(tf.memory().numTensors).toBe(before)
    expect(said.at(-1)).toMatch(/all files were run and agree with the flow to \d/)
    expect(
      [to, join(folder, 'model.inverse.onnx'), join(folder, 'model.sampler.onnx')].every((path) => existsSync(path)),
    ).toBe(true)
  })
  it('takes the checkpoint that it is told', async () => {
    const [last, best] = [join(folder, 'last.onnx'), join(folder, 'best.onnx')]
    const results: unknown[] = []
    await exportRun({ run, to: last }, ioOf([], results))
    await exportRun({ run, to: best, checkpoint: 'best' }, ioOf([], results))
    expect(results).toMatchObject([
      { run, checkpoint: 'last.safetensors' },
      { run, checkpoint: 'best.safetensors' },
    ])
    // of another key
    expect(readFileSync(last).equals(readFileSync(best))).toBe(false)
  })
  it('refuses without an engine, in one sentence', () => {
    const program = `import { toOnnx } from './dist/src/entry/engine.js'
      try { toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run: (x) => x }) } catch (e) { console.log(e.message) }`
    const { status, stdout } = spawnSync('node', ['--input-type=module', '-e', program])
    expect([status, `${stdout}`]).toEqual([
      0,
      'engine: expected one that is ready, got none; call `await ready()` first\n',
    ])
  })
  it('says what is missing where there is no run', async () => {
    const to = join(folder, 'none.onnx')
    const { code, err } = await diffeo(folder, 'export', 'nowhere', '--to', to)
    expect([code, existsSync(to)]).toEqual([1, false])
    expect(err).toMatch(/^diffeo: .*nowhere.*\n$/)
  })
})
