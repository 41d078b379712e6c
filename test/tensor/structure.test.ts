import * as tf from '@tensorflow/tfjs-core'
import * as T from 'diffeo/tensor'
import { type AnyTensor, type Tensor, unwrap } from 'diffeo/tensor'
import fc from 'fast-check'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { trust } from '../../src/tensor/tensor.js'
import { agreesWithDifferences } from '../gradients.js'
import { agrees, any, draw, holds, type Index, read, seeds, shape, size } from './reference.js'

const orders = shape.chain((s) =>
  fc.tuple(
    fc.constant(s),
    fc.shuffledSubarray(
      s.map((_, i) => i),
      { minLength: s.length },
    ),
  ),
)
const pieces = fc.tuple(fc.array(size, { maxLength: 3 }), fc.array(size, { minLength: 1, maxLength: 4 }))
const half = fc.integer({ min: 1, max: 3 })

describe('structure', () => {
  it('reshape keeps the row-major order', () =>
    holds<[number, number[], number]>([size, shape, seeds], (n, s, seed) => {
      const x = draw([n, ...s], seed)
      const to = [...s].reverse()
      const y = T.reshape(to)(x)
      expect(unwrap(y).shape).toEqual([n, ...to])
      expect(unwrap(y).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  it('transpose permutes the dimensions', () =>
    holds<[[number[], number[]], number]>([orders, seeds], ([s, order], seed) => {
      const x = draw(s, seed)
      agrees(
        T.transpose(order)(x),
        order.map((i) => s[i]!),
        (i) => read(x)(s.map((_, dim) => i[order.indexOf(dim)]!)),
      )
    }))
  it('concat puts one after the other', () =>
    holds<[number[], number, number]>([shape, size, seeds], (s, more, seed) => {
      const c = s.at(-1)!
      const rest = s.slice(0, -1)
      const [a, b] = [draw(s, seed), draw([...rest, more], seed + 1)]
      agrees(T.concat(b)(a), [...rest, c + more], (i) => {
        const last = i.at(-1)!
        return last < c ? read(a)(i) : read(b)([...i.slice(0, -1), last - c])
      })
    }))
  it('slice and split take runs of the last axis', () =>
    holds<[[number[], number[]], number]>([pieces, seeds], ([rest, parts], seed) => {
      const x = draw([...rest, parts.reduce((a, b) => a + b, 0)], seed)
      let from = 0
      const runsOf = T.split(parts)(x) as readonly AnyTensor[]
      expect(runsOf).toHaveLength(parts.length)
      parts.forEach((part, p) => {
        const start = from
        const expected = (i: Index) => read(x)([...i.slice(0, -1), start + i.at(-1)!])
        agrees(runsOf[p]!, [...rest, part], expected)
        agrees(T.slice(start, part)(x), [...rest, part], expected)
        from += part
      })
      const back = runsOf.slice(1).reduce((a, b) => T.concat(b)(a) as AnyTensor, runsOf[0]!)
      expect(unwrap(back).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  it('gather takes places of one dimension', () =>
    holds<[[number[], number[]], number]>([orders, seeds], ([s, order], seed) => {
      const x = draw(s, seed)
      const axis = order[0]!
      const places = [s[axis]! - 1, 0, s[axis]! - 1]
      agrees(T.gather(places, axis)(x), s.with(axis, 3), (i) => read(x)(i.with(axis, places[i[axis]!]!)))
    }))
  it('spaceToDepth is pixel-unshuffle, and depthToSpace undoes it', () =>
    holds<[number, number, number, number, number]>([size, half, half, size, seeds], (n, h, w, c, seed) => {
      const x = draw([n, 2 * h, 2 * w, c], seed)
      const y = T.spaceToDepth(x)
      agrees(y, [n, h, w, 4 * c], ([e, i, j, channel]) => {
        const [of, dy, dx] = [Math.floor(channel! / 4), Math.floor((channel! % 4) / 2), channel! % 2]
        return read(x)([e!, 2 * i! + dy, 2 * j! + dx, of])
      })
      const back = T.depthToSpace(y as AnyTensor)
      expect(unwrap(back).shape).toEqual(unwrap(x).shape)
      expect(unwrap(back).dataSync()).toEqual(unwrap(x).dataSync())
    }))
  const moves: Readonly<Record<string, readonly [(x: AnyTensor) => AnyTensor, readonly number[]]>> = {
    reshape: [(x) => T.reshape([6])(x), [2, 2, 3]],
    transpose: [(x) => T.transpose([2, 0, 1])(x), [2, 2, 3]],
    'concat of split': [(x) => pipe(T.split([1, 2])(x), ([a, b]) => T.concat(T.square(a))(b) as AnyTensor), [2, 3]],
    slice: [(x) => T.slice(1, 2)(x), [2, 4]],
    gather: [(x) => T.gather([2, 0, 2], 1)(x), [2, 3, 2]],
    spaceToDepth: [(x) => T.spaceToDepth(x), [1, 2, 2, 2]],
    depthToSpace: [(x) => T.depthToSpace(x), [1, 1, 2, 8]],
  }
  it.each(Object.entries(moves))('%s has its gradient', (_, [op, dims]) =>
    agreesWithDifferences((x) => unwrap(op(any(x!))), [unwrap(draw(dims, 3))]),
  )
})

const said = (f: () => unknown): string => {
  try {
    tf.tidy(() => void f())
    return 'nothing'
  } catch (e) {
    return (e as Error).message
  }
}

describe('an operation that does not fit', () => {
  const image = (dims: readonly number[]): AnyTensor => trust(tf.zeros([...dims]))
  it.each<readonly [string, () => unknown]>([
    [
      'reshape: expected 72 elements to fit 4×6×3, got 64 in 8×8',
      () => T.reshape([8, 8] as readonly number[])(image([2, 4, 6, 3])),
    ],
    ['transpose: expected a permutation of the axes of 2×4×6, got [0, 2]', () => T.transpose([0, 2])(image([2, 4, 6]))],
    [
      'transpose: expected a permutation of the axes of 2×4×6, got [0, 2, 2]',
      () => T.transpose([0, 2, 2])(image([2, 4, 6])),
    ],
    ['split: expected sizes that add up to 5 in 2×5, got [2, 2]', () => T.split([2, 2])(image([2, 5]))],
    ['split: expected sizes that add up to 5 in 2×5, got [-1, 6]', () => T.split([-1, 6])(image([2, 5]))],
    ['slice: expected a range within 0 to 5 in 2×5, got 2 elements from -1', () => T.slice(-1, 2)(image([2, 5]))],
    ['slice: expected a range within 0 to 5 in 2×5, got -1 elements from 2', () => T.slice(2, -1)(image([2, 5]))],
    ['gather: expected indices below 5 in 2×5, got [4, 5]', () => T.gather([4, 5], 1)(image([2, 5]))],
    ['gather: expected indices below 5 in 2×5, got [-1]', () => T.gather([-1], 1)(image([2, 5]))],
    ['gather: expected an axis of 2×5, got 2', () => T.gather([0], 2)(image([2, 5]))],
    ['softmax: expected an axis of 2×5, got 2', () => T.softmax(2)(image([2, 5]))],
    ['maxAxis: expected an axis of 2×5, got 2', () => T.maxAxis(2)(image([2, 5]))],
    ['spaceToDepth: expected an even width, got 3 in 2×3×1', () => T.spaceToDepth(image([1, 2, 3, 1]))],
    ['spaceToDepth: expected height×width×channels, got 2×3', () => T.spaceToDepth(image([1, 2, 3]))],
    ['depthToSpace: expected height×width×channels, got 2×3', () => T.depthToSpace(image([1, 2, 3]))],
    ['depthToSpace: expected a multiple of 4 channels, got 6 in 2×2×6', () => T.depthToSpace(image([1, 2, 2, 6]))],
  ])('says %s', (sentence, f) => expect(said(f)).toBe(sentence))

  it('is refused by the compiler, and by the same rule when it runs', () => {
    const x: Tensor<readonly ['N', 4, 6, 3]> = trust(tf.zeros([2, 4, 6, 3]))
    // @ts-expect-error 72 elements do not fit into 64
    expect(() => pipe(x, T.reshape([8, 8]))).toThrow()
    // @ts-expect-error one dimension is missing
    expect(() => pipe(x, T.transpose([0, 1, 2]))).toThrow()
    // @ts-expect-error 3 channels are not 4
    expect(() => pipe(x, T.split([2, 2]))).toThrow()
    // @ts-expect-error places are 0 to 2
    expect(() => pipe(x, T.gather([0, 3], 3))).toThrow()
    // @ts-expect-error dimensions are 0 to 3
    expect(() => pipe(x, T.sumAxis(4))).toThrow()
    // @ts-expect-error 3 channels are no multiple of 4
    expect(() => pipe(x, T.depthToSpace)).toThrow()
    const [a, b]: readonly [Tensor<readonly ['N', 4, 6, 1]>, Tensor<readonly ['N', 4, 6, 2]>] = T.split([1, 2])(x)
    const deep: Tensor<readonly ['N', 2, 3, 12]> = T.spaceToDepth(x)
    const means: Tensor<readonly ['N', 3]> = pipe(x, T.meanAxis(1), T.meanAxis(1))
    const turned: Tensor<readonly ['N', 3, 4, 6]> = pipe(x, T.transpose([0, 3, 1, 2]))
    for (const t of [x, a, b, deep, means, turned]) unwrap(t).dispose()
  })
})
