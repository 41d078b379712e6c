import * as tf from '@tensorflow/tfjs-core'
import {
  actNorm,
  additiveCoupling,
  atShape,
  batchNorm,
  checkerboard,
  compose,
  coupling,
  halves,
  input,
  key,
  mlp,
  resnet,
  type Shape,
} from 'diffeo'
import { randomBatch, randomParams } from 'diffeo/laws'
import * as T from 'diffeo/tensor'
import { type AnyTensor, type BatchOf, type Params, unwrap } from 'diffeo/tensor'
import { describe, expect, it } from 'vitest'
import { values } from '../support.js'

const shapes: readonly Shape[] = [[3, 2, 2], [4, 3], [3]]
const draw = (shape: Shape, seed: number, n = 16) => randomBatch(shape, [1, 4], n, key(seed))
/** The values of each channel, over batch and positions. */
const channels = (x: AnyTensor): readonly (readonly number[])[] => {
  const c = unwrap(x).shape.at(-1)!
  return Array.from({ length: c }, (_, k) => values(x).filter((_, i) => i % c === k))
}
const meanOf = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length
const varianceOf = (v: readonly number[]) => meanOf(v.map((a) => (a - meanOf(v)) ** 2))
const standard = (y: AnyTensor) => {
  for (const v of channels(y)) {
    expect(meanOf(v)).toBeCloseTo(0, 4)
    expect(varianceOf(v)).toBeCloseTo(1, 4)
  }
}

describe('actNorm', () => {
  it.each(shapes.map((shape) => [shape.join('×'), shape] as const))(
    'starts with mean 0 and variance 1 over batch and positions, %s',
    (_, shape) => {
      tf.tidy(() => {
        const b = atShape(shape, actNorm)
        const x = draw(shape, 1)
        const [y, logDet, params] = b.start(b.init(key(0)))(x)
        standard(y)
        // the parameters that it answers are the ones that it used
        const [again, againLogDet] = b.bind(params).forward(x)
        expect(values(again)).toEqual(values(y))
        expect(values(againLogDet)).toEqual(values(logDet))
      })
    },
  )
  it('starts once: other data change nothing', () => {
    tf.tidy(() => {
      const b = atShape([2, 2, 3], actNorm)
      const [, , first] = b.start(b.init(key(0)))(draw([2, 2, 3], 1))
      const other = draw([2, 2, 3], 2)
      const [y, , second] = b.start(first)(other)
      for (const leaf of ['shift', 'logScale', 'started']) expect(values(second[leaf])).toEqual(values(first[leaf]))
      expect(values(y)).toEqual(values(b.bind(first).forward(other)[0]))
      expect(values(second['started'])).toEqual([1])
    })
  })
  it('does not start in training or evaluation', () => {
    tf.tidy(() => {
      const b = atShape([3], actNorm)
      const x = draw([3], 1)
      const params = b.init(key(0))
      const [y, logDet, next] = b.train(params)(x)
      expect(values(y)).toEqual(values(x))
      expect(values(logDet).every((v) => v === 0)).toBe(true)
      expect(values(next['started'])).toEqual([0])
      expect(values(b.bind(params).forward(x)[0])).toEqual(values(x))
    })
  })
  it('starts everywhere in a composition, each on what arrives there', () => {
    tf.tidy(() => {
      const net = coupling(halves(), mlp({ hidden: [4] }))
      const b = compose(input([4]), actNorm, net, actNorm)
      const scattered = randomParams(b.spec, key(1))
      const unstarted: Params = Object.fromEntries(
        Object.entries(scattered).map(([name, sub]) => [
          name,
          'started' in sub ? { ...sub, started: T.times(0)((sub as Params)['started'] as AnyTensor) } : sub,
        ]),
      )
      const x = draw([4], 2) as BatchOf<readonly [4]>
      const [y, , params] = b.start(unstarted)(x)
      standard(y)
      expect(Object.keys(params)).toEqual(Object.keys(unstarted))
      expect(values(b.bind(params).forward(x)[0])).toEqual(values(y))
    })
  })
  it('starts on what training sees, and leaves the running statistics of nets alone', () => {
    tf.tidy(() => {
      const net = resnet({ width: 3, blocks: 1, norm: 'batch' })
      for (const make of [coupling(checkerboard(), net), additiveCoupling(checkerboard(), net)]) {
        const b = atShape([2, 2, 2], make)
        const params = randomParams(b.spec, key(1))
        const x = draw([2, 2, 2], 2) as BatchOf<readonly [2, 2, 2]>
        const [[y, , after], [trained, , next]] = [b.start(params)(x), b.train(params)(x)]
        expect(values(y)).toEqual(values(trained))
        expect(after).toBe(params)
        expect(next).not.toEqual(params)
      }
    })
  })
  it('starts with the scale 1 where a channel is constant', () => {
    tf.tidy(() => {
      const b = atShape([2], actNorm)
      const [y, logDet, params] = b.start(b.init(key(0)))(randomBatch([2], [3, 3], 4, key(1)) as never)
      for (const t of [y, logDet]) expect(values(t).every(Number.isFinite)).toBe(true)
      for (const scale of values(params['logScale'])) expect(scale).toBeCloseTo(0, 4)
    })
  })
})

describe('batchNorm', () => {
  const momentum = 0.1
  const b = atShape([2, 2, 3], batchNorm({ momentum }))
  const params = () => randomParams(b.spec, key(1))
  const x = () => draw([2, 2, 3], 2) as BatchOf<readonly [2, 2, 3]>
  it('mixes the batch’s mean and biased variance in, and normalises with the result', () => {
    tf.tidy(() => {
      const old = params()
      const [y, logDet, next] = b.train(old)(x())
      const after = channels(y)
      let sum = 0
      channels(x()).forEach((v, c) => {
        const mixed = (leaf: string, now: number) => (1 - momentum) * values(old[leaf])[c]! + momentum * now
        const [mean, variance] = [mixed('mean', meanOf(v)), mixed('variance', varianceOf(v))]
        expect(values(next['mean'])[c]).toBeCloseTo(mean, 5)
        expect(values(next['variance'])[c]).toBeCloseTo(variance, 5)
        v.forEach((a, i) => {
          expect(after[c]![i]).toBeCloseTo((a - mean) / Math.sqrt(variance), 4)
        })
        sum -= 2 * Math.log(variance) // 2×2 positions, each −½ log
      })
      for (const v of values(logDet)) expect(v).toBeCloseTo(sum, 4)
      // evaluation with the new statistics is what training answered
      expect(values(b.bind(next).forward(x())[0])).toEqual(values(y))
    })
  })
  it('mixes a two-hundredth into mean 0 and variance 1 unless told, and does not start by it', () => {
    tf.tidy(() => {
      const own = atShape([3], batchNorm())
      const at = draw([3], 2)
      const [, , next] = own.train(own.init(key(0)))(at)
      channels(at).forEach((v, c) => {
        expect(values(next['mean'])[c]).toBeCloseTo(0.005 * meanOf(v), 5)
        expect(values(next['variance'])[c]).toBeCloseTo(0.995 + 0.005 * varianceOf(v), 5)
      })
      expect(values(next['started'])).toEqual([0])
    })
  })
  it('settles on the batch’s statistics', () => {
    tf.tidy(() => {
      const settled = Array.from({ length: 200 }).reduce<Params>((p) => b.train(p)(x())[2], params())
      standard(b.bind(settled).forward(x())[0])
    })
  })
  it('starts with the statistics of the first batch, once', () => {
    tf.tidy(() => {
      const [y, , next] = b.start(b.init(key(1)))(x())
      standard(y)
      expect(values(b.bind(next).forward(x())[0])).toEqual(values(y))
      const [, , again] = b.start(next)(draw([2, 2, 3], 3) as BatchOf<readonly [2, 2, 3]>)
      for (const leaf of ['mean', 'variance', 'started']) expect(values(again[leaf])).toEqual(values(next[leaf]))
    })
  })
  it('sends the gradient through the batch’s part of the statistics', () => {
    const all = atShape([3], batchNorm({ momentum: 1, epsilon: 1e-5 }))
    tf.tidy(() => {
      const p = randomParams(all.spec, key(3))
      const at = unwrap(draw([3], 4, 5))
      const gradient = (f: (x: tf.Tensor) => unknown) =>
        tf
          .grad((v: tf.Tensor) => tf.sum(tf.square(unwrap(f(v) as AnyTensor))))(at)
          .dataSync()
      // with the whole batch in the statistics Σ y² is constant; with running ones it grows with x
      const [through, fixed] = [
        gradient((v) => all.train(p)(v as never)[0]),
        gradient((v) => all.bind(p).forward(v as never)[0]),
      ]
      for (const g of through) expect(Math.abs(g)).toBeLessThan(1e-3)
      expect(fixed.some((g) => Math.abs(g) > 0.1)).toBe(true)
    })
  })
})
