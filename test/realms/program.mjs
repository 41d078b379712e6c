/** A program that a sandbox of a test runner runs: what it reads, computes and writes is as in Node itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as main from 'diffeo'
import * as data from 'diffeo/data'
import * as engine from 'diffeo/engine'
import * as image from 'diffeo/image'
import * as T from 'diffeo/tensor'
import * as training from 'diffeo/train'

const d = { ...T, ...data, ...engine, ...image, ...training, ...main }

/** Trains on an engine, saves and restores, exports, and draws. */
export const train = async (engine) => {
  const { name } = await d.ready(engine)
  const moons = d.twoMoons({ noise: 0.05 })
  const density = d.flow(d.atShape([2], d.realNvpVector({ couplings: 2, hidden: [8] })), d.standardNormal)
  const draw = (k, n) => d.batch([2], moons.sample(k, n))
  const optimiser = d.adam()
  const start = await d.startTraining(density, optimiser, d.key(0), draw(d.key(1), 64))
  const options = { optimiser, learningRate: d.constantRate(1e-2), steps: 10 }
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-realm-'))
  try {
    for await (const event of d.fit(density, start, { ...options, batch: (i) => draw(d.foldIn(d.key(2), i), 64) }))
      if (event._tag === 'Stopped') {
        if (event.error !== undefined) throw new d.DiffeoException(event.error)
        const path = join(folder, 'moons.safetensors')
        await d.saveCheckpoint(path, { state: event.state, flow: density })
        const { params } = d.restore(await d.loadCheckpoint(path), density)
        const { nats } = await d.evaluate(density, params, { count: 1, at: () => draw(d.key(3), 100) })
        const points = await d.toArray(await d.compiled(density).sample(params)(d.key(4), 3))
        const run = ([x]) => [density.logProb(params)(x)]
        const model = d.toOnnx({ inputs: [{ name: 'x', shape: [2] }], outputs: ['y'], run })
        return { name, nats, points: [...points], exported: model.length }
      }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Trains a flow of images. */
export const trainImages = async (engine) => {
  await d.ready(engine)
  const flow = d.flow(d.atShape([8, 8, 3], d.realNvp({ scales: 1, width: 4, blocks: 1 })), d.standardNormal)
  const images = Uint8Array.from({ length: 4 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256)
  const set = d.inMemory({ name: 'made up', shape: [8, 8, 3], images })
  const optimiser = d.adam()
  const batches = d.trainBatches(set, d.key(1), 4)
  const start = await d.startTraining(flow, optimiser, d.key(0), await batches(0))
  const options = { optimiser, learningRate: d.constantRate(1e-3), batch: batches, steps: 2 }
  for await (const event of d.fit(flow, start, options))
    if (event._tag === 'Stopped') {
      if (event.error !== undefined) throw new d.DiffeoException(event.error)
      return d.toArray(await d.compiled(flow).sample(event.state.params)(d.key(4), 1))
    }
}

/** The error that a promise rejects with. */
const refusal = (promise) =>
  promise.then(
    () => ({}),
    (thrown) => thrown.error,
  )

/** Reads pictures, writes them, and says what is wrong with files that are none. */
export const readAndWrite = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-realm-'))
  try {
    const pixelsOf = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => i % 256)
    const raster = { width: 16, height: 16, channels: 3, data: pixelsOf }
    const picture = d.encodePng(raster)
    for (const name of ['a.png', 'b.png', 'c.png']) await d.writePng(join(folder, name), raster)
    const options = { name: 'folder', folder, size: 16, seed: 0 }
    const { train } = await d.loadData(options)
    const pixels = await train.read(Uint32Array.of(1))
    writeFileSync(join(folder, 'a.png'), picture.subarray(0, picture.length - 40))
    const broken = await refusal(d.loadData(options))
    const missing = await refusal(d.loadCheckpoint(join(folder, 'none')))
    const mark = { mark: 'point', data: { values: [{ x: 1 }] }, encoding: { x: { field: 'x', type: 'quantitative' } } }
    const svg = await d.toSvg(mark)
    return {
      pixels: [...pixels].slice(0, 4),
      broken: broken.got,
      missing: missing.got,
      svg: svg.slice(0, 4),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
