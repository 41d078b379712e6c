import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  compose,
  density,
  halves,
  type Key,
  key,
  load,
  mlp,
  permute,
  realNvpVector,
  reverseKl,
  splineCoupling,
  standardNormal,
  train,
} from 'diffeo'
import { twoMoons } from 'diffeo/data'
import { ready } from 'diffeo/engine'
import { batch, orThrow } from 'diffeo/fp'
import * as T from 'diffeo/tensor'
import { foldIn, normalArray, uniformArray, unwrap } from 'diffeo/tensor'
import { loadCheckpoint } from 'diffeo/train'
import { beforeAll, describe, expect, it } from 'vitest'
import { batchesOf } from '../../src/api/data.js'
import { values } from '../support.js'

const moons = twoMoons({ noise: 0.05 })
const vector = () => density([2], realNvpVector({ couplings: 2, hidden: [16] }))
const meanOf = (v: ArrayLike<number>): number => Array.from(v).reduce((a, b) => a + b, 0) / v.length

beforeAll(() => ready('onnxruntime'))

describe('train', () => {
  it('learns from a sampler, and returns arrays', async () => {
    const seen: number[] = []
    const f = density([2], realNvpVector({ couplings: 4, hidden: [32, 32], transformer: 'spline' }))
    const model = await train(f, moons, {
      key: key(0),
      steps: 600,
      learningRate: 5e-3,
      onProgress: ({ step }) => seen.push(step),
    })
    expect(seen.at(-1)).toBe(600)
    expect(model.history).toHaveLength(20)
    const { nats } = await model.evaluate(moons.sample(key(2), 4000))
    expect(nats).toBeLessThan(0.7) // the entropy is 0.289
    const draws = await model.sample(500, { key: key(1) })
    expect(draws.shape).toEqual([500, 2])
    expect(draws.data).toHaveLength(1000)
    expect(meanOf(await model.logProb(draws.data))).toBeCloseTo(-nats, 0)
    const [one] = await model.logProb([[0.5, 0.2]])
    expect((await model.logProb(Float32Array.of(0.5, 0.2)))[0]).toBe(one)
    const { latents, logDet } = await model.transform([[0.5, 0.2]])
    const back = await model.inverse(latents.map(({ data }) => data))
    expect(back.data[0]).toBeCloseTo(0.5, 4)
    expect(logDet).toHaveLength(1)
    await model.dispose()
  }, 60_000)

  it('refuses the state of another flow, even one with the same parameters', async () => {
    const [one, other] = [
      [0, 1],
      [1, 0],
    ].map((order) => density([2], compose(actNorm, permute(order))))
    const options = { key: key(0), steps: 2, batch: 4, validation: 0 }
    const model = await train(one!, moons, options)
    const again = density([2], compose(actNorm, permute([0, 1])))
    await expect(train(other!, moons, { ...options, from: model.state })).rejects.toThrow(
      'train: expected a state of this flow, got one of another flow with equal shapes; pass the flow that was trained',
    )
    const more = await train(again, moons, { ...options, steps: 3, from: model.state })
    expect(more.state.step).toBe(3)
    await more.dispose()
    await model.dispose()
  })
  it('is the same for the same key, and resumes from the state of a model', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => [i / 60, Math.sin(i)])
    const options = { key: key(3), steps: 20, batch: 16 }
    const [a, b] = [await train(vector(), rows, options), await train(vector(), rows, options)]
    expect(await a.logProb([[0, 0]])).toEqual(await b.logProb([[0, 0]]))
    expect(a.history).toEqual(b.history)
    const more = await train(vector(), rows, { ...options, steps: 30, from: a.state })
    expect(more.state.step).toBe(30)
    for (const model of [a, b, more]) await model.dispose()
  })

  it('takes one list, a batch, epochs, and no validation', async () => {
    const numbers = normalArray(key(4), 80)
    const model = await train(vector(), numbers, { key: key(0), epochs: 3, batch: 10, validation: 0 })
    expect(model.state.step).toBe(12)
    expect(model.history.length).toBeGreaterThan(0)
    const x = orThrow(batch([2], numbers))
    expect(await model.logProb(x)).toEqual(await model.logProb(numbers))
    unwrap(x).dispose()
    await model.dispose()
  })

  it('learns a conditional density from pairs, and from a sampler of pairs', async () => {
    const f = density([2], splineCoupling(halves(), mlp({ hidden: [8] })), standardNormal, { given: [1] })
    const sample = (k: Key, n: number) => ({ x: normalArray(k, 2 * n), given: uniformArray(k, n) })
    const model = await train(f, sample(key(1), 50), { key: key(0), steps: 10 })
    const at = model.given([[0.5]])
    expect((await at.sample(3, { key: key(2) })).shape).toEqual([3, 2])
    expect(
      await at.logProb([
        [0, 0],
        [1, 1],
      ]),
    ).toHaveLength(2)
    expect(
      await model.given([[0.5], [0.7]]).logProb([
        [0, 0],
        [1, 1],
      ]),
    ).toHaveLength(2)
    await model.dispose()
    const endless = await train(f, { sample }, { key: key(0), steps: 5 })
    expect(endless.state.step).toBe(5)
    await endless.dispose()
  })

  it('fits an objective without data', async () => {
    const f = vector()
    const elbo = reverseKl(f, (x) => T.times(-0.5)(T.sumEvent(T.square(x))))
    const model = await train(f, elbo, { key: key(0), steps: 20 })
    expect(model.history.at(-1)!.loss).toBeGreaterThan(-Math.log(2 * Math.PI) - 1e-3)
    await model.dispose()
  })

  it('saves a model, and loads it with the same numbers', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'diffeo-')), 'moons.safetensors')
    const model = await train(vector(), moons, { key: key(0), steps: 20 })
    await model.save(path)
    const again = await load(vector(), path)
    const x = moons.sample(key(5), 10)
    expect(await again.logProb(x)).toEqual(await model.logProb(x))
    expect(again.history).toEqual(model.history)
    expect(again.state.step).toBe(20)
    const other = density([2], realNvpVector({ couplings: 4, hidden: [16] }))
    await expect(load(other, path)).rejects.toThrow('expected')
    for (const each of [model, again]) await each.dispose()
  })

  it('saves the figure of the best validation in bits/dim, and none where there was no validation', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'diffeo-')), 'figure.safetensors')
    const validated = await train(vector(), moons, { key: key(0), steps: 20 })
    await validated.save(path)
    const least = Math.min(...validated.history.map(({ loss }) => loss))
    expect(validated.best!.loss).toBe(least)
    expect((await loadCheckpoint(path)).best!.bitsPerDim).toBeCloseTo(least / (2 * Math.LN2), 6)
    expect((await load(vector(), path)).best).toEqual(validated.best)

    const plain = await train(vector(), moons, { key: key(0), steps: 20, validation: 0 })
    await plain.save(path)
    expect([plain.best, (await loadCheckpoint(path)).best]).toEqual([undefined, undefined])
    const before = tf.memory().numTensors
    const again = await load(vector(), path)
    expect(await again.logProb([[0.5, 0.2]])).toEqual(await plain.logProb([[0.5, 0.2]]))
    await again.dispose()
    expect(tf.memory().numTensors).toBe(before)
    for (const model of [validated, plain]) await model.dispose()
  })

  it('keeps the best parameters, not the last: their validation is that of the model', async () => {
    // so few rows that the flow learns them by heart
    const rows = moons.sample(key(9), 24)
    const model = await train(vector(), rows, { key: key(0), steps: 400, learningRate: 2e-2, validation: 0.5 })
    const best = model.best!
    expect(best.loss).toBeLessThan(model.history.at(-1)!.loss - 0.1)
    const parts = { shape: [2], context: undefined }
    const { validation } = await batchesOf(parts, rows, { key: foldIn(key(0), 1), size: 256, validation: 0.5 })
    const { nats } = await model.evaluate(values(await validation!.at(0)))
    expect(nats).toBeCloseTo(best.loss, 4)
    await model.dispose()
  })

  it('never trains on rows that it validates with', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => [i, i])
    const parts = { shape: [2], context: undefined }
    const { batch: at, validation } = await batchesOf(parts, rows, { key: key(5), size: 6, validation: 0.25 })
    const first = async (of: unknown) => values(of).filter((_, i) => i % 2 === 0)
    const trained = new Set((await Promise.all(Array.from({ length: 30 }, (_, s) => first(at(s))))).flat())
    const held = await first(validation!.at(0))
    expect([trained.size, held.length]).toEqual([30, 10])
    expect(held.filter((row) => trained.has(row))).toEqual([])
  })

  it('takes batches as data, which stay the caller’s', async () => {
    const x = orThrow(batch([2], normalArray(key(1), 40)))
    const given = orThrow(batch([1], uniformArray(key(2), 20)))
    const options = { key: key(0), steps: 3 }
    const [own, rows] = [await train(vector(), x, options), await train(vector(), normalArray(key(1), 40), options)]
    expect(own.history).toEqual(rows.history)
    const f = density([2], realNvpVector({ couplings: 2, hidden: [4] }), standardNormal, { given: [1] })
    const conditional = await train(f, { x, given }, options)
    expect([unwrap(x).isDisposed, unwrap(given).isDisposed]).toEqual([false, false])
    tf.dispose([unwrap(x), unwrap(given)])
    for (const model of [own, rows, conditional]) await model.dispose()
  })

  it('frees what it kept where onProgress throws', async () => {
    const before = tf.memory().numTensors
    const onProgress = ({ step }: { readonly step: number }) => {
      if (step === 3) throw new Error('enough')
    }
    await expect(train(vector(), moons, { key: key(0), steps: 4, onProgress })).rejects.toThrow('enough')
    expect(tf.memory().numTensors).toBe(before)
  })

  it('refuses what plain JavaScript passes to a model', async () => {
    const model = await train(vector(), moons, { key: key(0), steps: 1 })
    const calls: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => model.logProb(undefined as never), 'logProb: expected rows of numbers, got none; pass rows of 2 numbers'],
      [() => model.sample(1, undefined as never), 'sample: expected a key, got undefined; pass one: { key: key(0) }'],
      [() => model.inverse([]), "inverse: expected a list of 1 latents, got 0; pass transform's latents"],
      [() => model.save(undefined as never), 'save: expected the path of a file, got undefined'],
    ]
    for (const [call, sentence] of calls) await expect((async () => call())()).rejects.toThrow(sentence)
    await model.dispose()
    await expect(model.logProb([[0, 0]])).rejects.toThrow('one that was freed')
  })

  it('keeps memory flat', async () => {
    const before = tf.memory().numTensors
    const model = await train(vector(), moons, { key: key(0), steps: 5 })
    await model.logProb([[0, 0]])
    await model.sample(3, { key: key(0) })
    await model.transform([[0, 0]])
    await model.evaluate([[0, 0]])
    await model.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  it.each<readonly [string, () => Promise<unknown>, string]>([
    [
      'no steps',
      () => train(vector(), moons, { key: key(0), steps: 0 }),
      'train: expected a whole number of steps from 1, got 0',
    ],
    [
      'no key',
      () => train(vector(), moons, {} as never),
      'train: expected a key, got undefined; pass one: { key: key(0) }',
    ],
    ['a share of all', () => train(vector(), moons, { key: key(0), validation: 1 }), 'below 1, got 1'],
    [
      'no data',
      () => train(vector(), undefined as never, { key: key(0) }),
      'train: expected rows of numbers, a sampler or images, got none',
    ],
    [
      'short rows',
      () => train(vector(), [[1, 2], [3]], { key: key(0) }),
      'train: expected rows of 2 numbers for 2, got 1 in row 1',
    ],
    [
      'an odd list',
      () => train(vector(), [1, 2, 3], { key: key(0) }),
      'train: expected a multiple of 2 numbers for 2, got 3',
    ],
    ['no rows', () => train(vector(), [], { key: key(0) }), 'train: expected at least one example, got none'],
    [
      'epochs of endless data',
      () => train(vector(), moons, { key: key(0), epochs: 1 }),
      'train: expected steps or minutes for endless data, got epochs',
    ],
    [
      'NaN',
      () =>
        train(
          vector(),
          [
            [1, Number.NaN],
            [0, 0],
          ],
          { key: key(0), validation: 0 },
        ),
      'NaN in example',
    ],
    [
      'a layer',
      () => train(realNvpVector() as never, moons as never, { key: key(0) }),
      'train: expected a density, got a layer',
    ],
    ['no options', () => train(vector(), moons, undefined as never), 'train: expected a key, got undefined'],
    [
      'a sampler of nothing',
      () => train(vector(), { sample: () => undefined as never }, { key: key(0) }),
      'train: expected rows of numbers, got none',
    ],
    [
      'a path that is none',
      () => load(vector(), undefined as never),
      'load: expected the path of a file, got undefined',
    ],
  ])('refuses %s in a sentence', async (_, call, sentence) => {
    const before = tf.memory().numTensors
    await expect(call()).rejects.toThrow(sentence)
    expect(tf.memory().numTensors).toBe(before)
  })
})
