/** First batches: of any unit, constant, of one example, empty, not finite. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  batchNorm,
  checkerboard,
  compose,
  coupling,
  flow,
  halves,
  input,
  key,
  mlp,
  realNvpVector,
  repeat,
  resnet,
  splineCoupling,
  standardNormal,
} from 'diffeo'
import { type EngineName, ready } from 'diffeo/engine'
import { batch, normalArray, unwrap } from 'diffeo/tensor'
import { adam, startTraining } from 'diffeo/train'
import { afterAll, describe, expect, it } from 'vitest'

afterAll(() => ready('cpu'))
const engines: readonly EngineName[] = ['cpu', 'wasm', 'onnxruntime']
const units = [1e-15, 1e-10, 1e-6, 1e-4, 1e-2, 1, 1e3, 1e8, 1e15]
const n = 256

const read = async (t: unknown): Promise<number[]> => [...(await unwrap(t as never).data())]
const meanOf = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length
const deviationOf = (v: readonly number[]) => Math.sqrt(meanOf(v.map((a) => (a - meanOf(v)) ** 2)))
const channelsOf = (v: readonly number[], c: number) =>
  Array.from({ length: c }, (_, k) => v.filter((_, i) => i % c === k))

/** What startTraining makes of a first batch: parameters, as one program; and the batch through them, at once. */
const started = async (b: AnyBijector, data: readonly number[]) => {
  const x = batch(b.domain as readonly number[], data)
  const state = await startTraining(flow(b, standardNormal), adam(), key(0), x as never)
  const [z, logDet] = b.bind(state.params).forward(x as never)
  const latents = await Promise.all((Array.isArray(z) ? z : [z]).map(read))
  return { params: state.params, z: latents, logDet: await read(logDet) }
}

const net = mlp({ hidden: [8] })
const bijectors: Readonly<Record<string, AnyBijector>> = {
  actNorm: atShape([2], actNorm),
  'actNorm of an image': atShape([2, 2, 2], actNorm),
  batchNorm: atShape([2], batchNorm()),
  'batchNorm of an image': atShape([2, 2, 2], batchNorm()),
  'couplings and actNorm': compose(input([2]), coupling(halves(), net), actNorm, splineCoupling(halves('second'), net)),
  realNvpVector: atShape([2], realNvpVector({ couplings: 4, hidden: [8] })),
  'realNvpVector, splines': atShape([2], realNvpVector({ couplings: 2, hidden: [8], transformer: 'spline' })),
}

describe.each(engines)('on %s', (engine) => {
  it.each(Object.entries(bijectors))('%s has unit variance after a first batch of any unit', async (name, b) => {
    await ready(engine)
    const size = b.domain.reduce((a: number, d: number) => a * d, 1)
    const noise = normalArray(key(3), n * size)
    // a spline on [−3, 3] rounds to 2⁻²³ of that
    for (const unit of units.filter((u) => u >= 1e-2 || name !== 'realNvpVector, splines'))
      for (const offset of [0, 3]) {
        const data = Array.from(noise, (z) => unit * (z + offset))
        const { z, logDet } = await started(b, data)
        for (const v of channelsOf(z[0]!, 2)) {
          expect(Math.abs(meanOf(v))).toBeLessThan(1e-3)
          expect(Math.abs(deviationOf(v) - 1)).toBeLessThan(1e-3)
        }
        const wanted = channelsOf(data, 2).reduce((sum, v) => sum - Math.log(deviationOf(v)) * (size / 2), 0)
        expect(Math.abs(logDet[0]! - wanted)).toBeLessThan(1e-3 * Math.max(1, Math.abs(wanted)))
      }
  })

  it.each([
    ['actNorm', actNorm],
    ['batchNorm', batchNorm()],
  ] as const)('%s gives a channel without spread the scale 1', async (_, norm) => {
    await ready(engine)
    const b = atShape([2], norm)
    for (const constant of [0, 3.7, -1e-12, 1e12, 1 / 3])
      for (const count of [1, 2, 1000]) {
        const noise = normalArray(key(4), count)
        const { z, logDet } = await started(b, Array.from(noise, (v) => [constant, 5 * v]).flat())
        const [still, moving] = channelsOf(z[0]!, 2) as [number[], number[]]
        for (const v of still) expect(Math.abs(v)).toBeLessThan(1e-5 * Math.max(1, Math.abs(constant)))
        const deviation = count === 1 ? 1 : deviationOf(Array.from(noise, (v) => 5 * v))
        expect(logDet[0]).toBeCloseTo(-Math.log(deviation), 3)
        if (count > 1) expect(deviationOf(moving)).toBeCloseTo(1, 3)
      }
  })

  it('large constant images are constant, whatever the mean of so many rounds to', async () => {
    await ready(engine)
    const b = atShape([64, 64, 1], actNorm)
    const { logDet } = await started(
      b,
      Array.from({ length: 8 * 4096 }, () => 0.1),
    )
    expect(logDet.every((v) => v === 0)).toBe(true)
  })

  it('an empty or unreadable first batch is refused', async () => {
    await ready(engine)
    for (const norm of [actNorm, batchNorm()])
      for (const b of [atShape([2], norm), compose(input([2]), affine, norm)] as AnyBijector[]) {
        await expect(started(b, [])).rejects.toThrow(/expected a first batch of .*got an empty one/)
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
          const data = [1, 2, 3, 4, 5, bad, 7, 8]
          await expect(started(b, data)).rejects.toThrow(`first batch of finite numbers, got ${bad} in example 2`)
          const x = batch([2], data)
          expect(() => b.start(b.init(key(0)))(x as never)).toThrow(`got ${bad} in example 2`)
        }
      }
  })
})

describe('batchNorm in training', () => {
  it('keeps its variance where a batch has no spread', () => {
    tf.tidy(() => {
      const b = atShape([2], batchNorm({ momentum: 1 }))
      const [, , params] = b.start(b.init(key(0)))(batch([2], [1, 10, 3, 20]))
      const [, logDet, next] = b.train(params)(batch([2], [5, 7, 5, 9]))
      const [variance] = [unwrap(next['variance'] as never).dataSync()]
      expect([...variance!]).toEqual([1, 1])
      expect(unwrap(logDet).dataSync()[0]).toBeCloseTo(0, 6)
    })
  })
  it('is in any unit what it is in another', () => {
    tf.tidy(() => {
      const noise = normalArray(key(5), 64)
      const b = atShape([2], batchNorm({ momentum: 0.5 }))
      const outputs = [1e-12, 1, 1e12].map((unit) => {
        const x = batch(
          [2],
          Array.from(noise, (z) => unit * z),
        )
        const y = batch(
          [2],
          Array.from(noise, (z) => unit * (2 * z + 1)),
        )
        const [, , params] = b.start(b.init(key(0)))(x)
        return [...unwrap(b.train(params)(y)[0]).dataSync()]
      })
      for (const output of outputs)
        output.forEach((v, i) => {
          expect(v).toBeCloseTo(outputs[1]![i]!, 3)
        })
    })
  })
})

it('a started norm ignores a batch that is not finite', () => {
  tf.tidy(() => {
    for (const norm of [actNorm, batchNorm()]) {
      const b = atShape([1], norm)
      const [, , params] = b.start(b.init(key(0)))(batch([1], [1, 2, 3]))
      expect(Object.values(params).every((leaf) => [...unwrap(leaf as never).dataSync()].every(Number.isFinite))).toBe(
        true,
      )
    }
  })
})

it('numbers alone, and images of one example, start too', () => {
  tf.tidy(() => {
    for (const norm of [actNorm, batchNorm()]) {
      const line = atShape([], norm)
      const [y] = line.start(line.init(key(0)))(batch([], [10, 20, 30]))
      expect(deviationOf([...unwrap(y).dataSync()])).toBeCloseTo(1, 3)
      const image = atShape(
        [2, 2, 1],
        compose(repeat(2, norm), coupling(checkerboard(), resnet({ width: 2, blocks: 1 }))),
      )
      const [z] = image.start(image.init(key(0)))(batch([2, 2, 1], [1, 2, 3, 4]))
      expect(deviationOf([...unwrap(z).dataSync()])).toBeCloseTo(1, 3)
    }
  })
})
