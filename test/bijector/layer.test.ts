/** What a bijector is given has the shape that it stands at: TensorFlow.js would repeat a size of 1 without a word. */
import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  actNorm,
  affine,
  atShape,
  compose,
  coupling,
  DiffeoException,
  factorOut,
  flow,
  halves,
  key,
  mlp,
  standardNormal,
} from 'diffeo'
import { randomBatch } from 'diffeo/laws'
import type { AnyTensor } from 'diffeo/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { randomParams } from '../support.js'

const zeros = (...shape: number[]): AnyTensor => trust(tf.zeros(shape))
const bijectors: Readonly<Record<string, AnyBijector>> = {
  affine: atShape([4], affine),
  actNorm: atShape([2, 2, 4], actNorm),
  compose: atShape([4], compose(actNorm, coupling(halves(), mlp({ hidden: [3] })))),
}

describe.each(Object.entries(bijectors))('%s', (name, b) => {
  const ways = (params: ReturnType<AnyBijector['init']>): Readonly<Record<string, (x: AnyTensor) => unknown>> => ({
    forward: b.bind(params).forward,
    inverse: b.bind(params).inverse,
    train: b.train(params),
    start: b.start(params),
  })
  const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  it.each(['forward', 'inverse', 'train', 'start'])('refuses any other shape: %s', (way) => {
    fc.assert(
      fc.property(fc.oneof(shape, fc.constant([3, ...b.domain.slice(0, -1), 1])), (given: readonly number[]) => {
        fc.pre(given.slice(1).join() !== b.domain.join())
        tf.tidy(() => {
          const run = () => ways(randomParams(b, key(1)))[way]!(zeros(...given))
          expect(run).toThrow(DiffeoException)
          expect(run).toThrow(`${name}: expected N×${b.domain.join('×')}, got ${given.join('×')}`)
        })
      }),
      { numRuns: 20 },
    )
    tf.tidy(() => void ways(randomParams(b, key(1)))[way]!(randomBatch(b.domain, [-1, 1], 3, key(2))))
  })
})

describe('several latents', () => {
  const b = atShape([4], compose(factorOut, factorOut))
  const inverse = (z: unknown) => () => b.bind({}).inverse(z as never)
  it.each([
    ['fewer', () => [zeros(3, 2), zeros(3, 2)], '3×2, 3×2'],
    ['one', () => zeros(3, 4), '3×4'],
    ['of other shapes', () => [zeros(3, 2), zeros(3, 1), zeros(3, 2)], '3×2, 3×1, 3×2'],
    ['of other numbers of examples', () => [zeros(3, 2), zeros(1, 1), zeros(3, 1)], '3×2, 1×1, 3×1'],
  ])('are refused: %s', (_, z, got) => {
    tf.tidy(() => {
      expect(inverse(z())).toThrow(`compose: expected N×2, N×1, N×1, got ${got}`)
    })
  })
  it('are taken back', () => {
    tf.tidy(() => {
      expect(inverse([zeros(3, 2), zeros(3, 1), zeros(3, 1)])).not.toThrow()
    })
  })
})

it('a density refuses events of another shape', () => {
  tf.tidy(() => {
    const size: number = 2
    const density = flow(atShape([size], actNorm), standardNormal)
    const params = density.init(key(0))
    expect(() => density.logProb(params)(zeros(5, 1) as never)).toThrow('actNorm: expected N×2, got 5×1')
  })
})
