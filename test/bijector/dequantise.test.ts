import * as tf from '@tensorflow/tfjs-core'
import { atShape, dequantise, key, logit } from 'diffeo'
import { type BatchOf, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

type Images = BatchOf<readonly [2, 2, 1]>
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 2 })
const pixels = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 8, maxLength: 8 })
const images = (levels: readonly number[]): Images => trust(tf.tensor([...levels], [2, 2, 2, 1]))

describe('dequantise', () => {
  it('adds noise from [0, 1) and takes it away, bit for bit', () => {
    fc.assert(
      fc.property(pixels, seeds, (levels, seed) => {
        tf.tidy(() => {
          const f = dequantise<readonly [2, 2, 1]>(key(seed))
          const [noisy, logDet] = f.forward(images(levels))
          values(noisy).forEach((v, i) => {
            expect(v).toBeGreaterThanOrEqual(levels[i]!)
            expect(v).toBeLessThan(levels[i]! + 1)
          })
          const [back, inverseLogDet] = f.inverse(noisy)
          expect(values(back)).toEqual(levels)
          expect(values(logDet)).toEqual([0, 0])
          expect(values(inverseLogDet)).toEqual([0, 0])
        })
      }),
    )
  })
  it('is a function of its key, which decides every value’s own noise', () => {
    tf.tidy(() => {
      const noise = (seed: number) =>
        values(dequantise<readonly [2, 2, 1]>(key(seed)).forward(images(Array(8).fill(0)))[0])
      expect(noise(1)).toEqual(noise(1))
      expect(noise(1)).not.toEqual(noise(2))
      expect(new Set(noise(1)).size).toBe(8)
    })
  })
  it('stays below 256, so that the logit after it is finite even without a margin', () => {
    tf.tidy(() => {
      const white: BatchOf<readonly [100, 100, 1]> = trust(tf.fill([50, 100, 100, 1], 255))
      const [noisy] = dequantise<readonly [100, 100, 1]>(key(3)).forward(white)
      expect(tf.max(unwrap(noisy)).dataSync()[0]).toBe(256 - 2 ** -16)
      const b = atShape([100, 100, 1], logit({ alpha: 0 }))
      expect(values(b.bind({}).forward(noisy)[0]).every(Number.isFinite)).toBe(true)
    })
  })
  it('leaves nothing behind but what it answers', () => {
    const x = images([1, 2, 3, 4, 5, 6, 7, 8])
    const before = tf.memory().numTensors
    const answers = dequantise<readonly [2, 2, 1]>(key(0)).forward(x)
    expect(tf.memory().numTensors).toBe(before + 2)
    for (const t of [...answers, x]) unwrap(t).dispose()
  })
})
