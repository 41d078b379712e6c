/** Masks by hand: what is kept, what changes, what each side looks like. The laws run on couplings over them. */
import * as tf from '@tensorflow/tfjs-core'
import { channelwise, checkerboard, describeError, halves, mask, type Shape } from 'diffeo'
import { ready } from 'diffeo/engine'
import { orThrow } from 'diffeo/fp'
import { unwrap } from 'diffeo/tensor'
import * as E from 'fp-ts/lib/Either.js'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Mask, Split } from '../../src/bijector/mask.js'
import { type AnyTensor, trust } from '../../src/tensor/tensor.js'
import { values } from '../support.js'

beforeAll(async () => {
  await ready('cpu')
})

type AnyMask = Mask<never, 'image' | 'vector'>
/** 1, 2, 3, … in two examples of this shape. */
const counted = (shape: Shape): AnyTensor => {
  const size = shape.reduce((a, b) => a * b, 1)
  return trust(tf.reshape(tf.range(1, 2 * size + 1), [2, ...shape]))
}
const multiplied: readonly (readonly [string, AnyMask, Shape, readonly number[]])[] = [
  ['checkerboard-even', checkerboard() as never, [2, 2, 1], [1, 0, 0, 1]],
  ['checkerboard-even', checkerboard('even') as never, [2, 3, 1], [1, 0, 1, 0, 1, 0]],
  ['checkerboard-odd', checkerboard('odd') as never, [3, 2, 1], [0, 1, 1, 0, 0, 1]],
  ['checkerboard-odd', checkerboard('odd') as never, [2, 2, 2], [0, 0, 1, 1, 1, 1, 0, 0]],
  ['mask', mask([3], ([i]) => i === 1) as never, [3], [0, 1, 0]],
  [
    'mask',
    mask([2, 3, 2], ([i, j, k]) => i === 1 && j === 0 && k === 1) as never,
    [2, 3, 2],
    [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
  ],
]
const sliced: readonly (readonly [string, AnyMask, Shape, Shape, Shape, readonly number[]])[] = [
  ['channelwise-first', channelwise() as never, [1, 2, 4], [1, 2, 2], [1, 2, 2], [1, 2, 5, 6]],
  ['channelwise-second', channelwise('second') as never, [1, 2, 4], [1, 2, 2], [1, 2, 2], [3, 4, 7, 8]],
  ['halves-first', halves() as never, [5], [2], [3], [1, 2]],
  ['halves-second', halves('second') as never, [5], [3], [2], [3, 4, 5]],
  ['halves-first', halves('first') as never, [2], [1], [1], [1]],
]
const at = (m: AnyMask, shape: Shape): Split => orThrow(m.at(shape))
const first = (t: AnyTensor): readonly number[] => values(t).slice(0, values(t).length / 2)

describe('a mask', () => {
  it.each(multiplied)('%s of %s keeps by multiplication', (name, m, shape, ones) => {
    tf.tidy(() => {
      expect([m.name, m.kind]).toEqual([name, shape.length === 1 ? 'vector' : 'image'])
      const own = at(m, shape)
      expect([own.kept, own.changed]).toEqual([shape, shape])
      const x = counted(shape)
      const [kept, changed] = own.split(x)
      expect(first(kept)).toEqual(ones.map((one, i) => one * (i + 1)))
      expect(first(changed)).toEqual(ones.map((one, i) => (1 - one) * (i + 1)))
      expect(first(own.project(x))).toEqual(first(changed))
      expect(values(own.merge(kept, changed))).toEqual(values(x))
    })
  })
  it.each(sliced)('%s slices', (name, m, shape, kept, changed, wanted) => {
    tf.tidy(() => {
      expect([m.name, m.kind]).toEqual([name, shape.length === 1 ? 'vector' : 'image'])
      const own = at(m, shape)
      expect([own.kept, own.changed]).toEqual([kept, changed])
      const x = counted(shape)
      const [a, b] = own.split(x)
      expect([unwrap(a).shape, unwrap(b).shape]).toEqual([
        [2, ...kept],
        [2, ...changed],
      ])
      expect(first(a)).toEqual(wanted)
      expect([...first(a), ...first(b)].sort((p, q) => p - q)).toEqual(first(x))
      expect(values(own.merge(a, b))).toEqual(values(x))
      expect(own.project(b)).toBe(b)
    })
  })
  it.each([
    [checkerboard(), [4]],
    [channelwise(), [2, 2, 3]],
    [halves(), [1]],
    [halves(), [2, 2, 2]],
    [mask([3], () => true), [4]],
  ] as const)('refuses a shape that it does not fit, %#', (m, shape) => {
    expect(E.isLeft((m as unknown as AnyMask).at(shape))).toBe(true)
  })
  it('is asked about every index once, in order', () => {
    const seen: (readonly number[])[] = []
    orThrow(mask([2, 1, 2], (index) => seen.push([...index]) > 0).at([2, 1, 2]))
    expect(seen).toEqual([
      [0, 0, 0],
      [0, 0, 1],
      [1, 0, 0],
      [1, 0, 1],
    ])
  })
  it('of one vector half is refused by its size', () => {
    const got = halves().at([1])
    expect(E.isLeft(got) && describeError(got.left)).toBe('halves: expected a vector of at least 2, got 1')
  })
})
