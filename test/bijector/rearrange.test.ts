import * as tf from '@tensorflow/tfjs-core'
import {
  type AnyBijector,
  atShape,
  compose,
  describeError,
  factorOut,
  flatten,
  flip,
  type Layer,
  ordered,
  permute,
  reshapeTo,
  type Shape,
  type ShapeFn,
  squeeze,
} from 'diffeo'
import { ready } from 'diffeo/engine'
import type { AnyTensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { describe, expect, it } from 'vitest'
import { product } from '../../src/tensor/shape.js'
import { trust, unwrap } from '../../src/tensor/tensor.js'
import { tensors, values } from '../support.js'

/** One event whose values are their own places, so that a forward pass says where each comes from. */
const sources = (b: AnyBijector): readonly (readonly number[])[] =>
  T.tidy(() => {
    const places = tf.range(0, product(b.domain), 1, 'float32')
    const event: AnyTensor = trust(tf.reshape(places, [1, ...b.domain]))
    return tensors(b.bind({}).forward(event)[0]).map(values)
  })

const half = fc.integer({ min: 1, max: 3 })
const images = fc.tuple(half, half, half)
const corners = [
  [0, 0],
  [1, 1],
  [0, 1],
  [1, 0],
] as const

describe('where the values of a rearrangement come from', () => {
  it('squeeze: y[i, j, 4c + 2dy + dx] = x[2i + dy, 2j + dx, c]', () => {
    fc.assert(
      fc.property(images, ([h, w, c]) => {
        const expected = Array.from({ length: 4 * h * w * c }, (_, at) => {
          const [i, j, k] = [Math.floor(at / (4 * c * w)), Math.floor(at / (4 * c)) % w, at % (4 * c)]
          const [dy, dx] = [Math.floor((k % 4) / 2), k % 2]
          return ((2 * i + dy) * 2 * w + 2 * j + dx) * c + Math.floor(k / 4)
        })
        expect(sources(atShape([2 * h, 2 * w, c], squeeze))).toEqual([expected])
      }),
      { numRuns: 20 },
    )
  })
  it('squeeze, then ordered: y[i, j, kC + c] = x[2i + dy(k), 2j + dx(k), c]', () => {
    fc.assert(
      fc.property(images, ([h, w, c]) => {
        const expected = Array.from({ length: 4 * h * w * c }, (_, at) => {
          const [i, j, k] = [Math.floor(at / (4 * c * w)), Math.floor(at / (4 * c)) % w, at % (4 * c)]
          const [dy, dx] = corners[Math.floor(k / c)]!
          return ((2 * i + dy) * 2 * w + 2 * j + dx) * c + (k % c)
        })
        const shape: Shape = [2 * h, 2 * w, c]
        expect(sources(atShape(shape, compose(squeeze, ordered)) as AnyBijector)).toEqual([expected])
      }),
      { numRuns: 20 },
    )
  })
  it('factorOut after the ordered squeeze leaves one colour of the checkerboard behind', () => {
    const [behind, flowing] = sources(atShape([4, 6, 2], compose(squeeze, ordered, factorOut)))
    const colour = (place: number) => (Math.floor(place / 12) + (Math.floor(place / 2) % 6)) % 2
    expect(behind!.map(colour)).toEqual(Array(24).fill(0))
    expect(flowing!.map(colour)).toEqual(Array(24).fill(1))
  })
  const layers: Readonly<Record<string, readonly [AnyBijector, readonly (readonly number[])[]]>> = {
    factorOut: [
      atShape([2, 4], factorOut),
      [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
      ],
    ],
    permute: [atShape([2, 3], permute([2, 0, 1])), [[2, 0, 1, 5, 3, 4]]],
    flip: [atShape([2, 3], flip), [[2, 1, 0, 5, 4, 3]]],
    reshape: [atShape([2, 3], reshapeTo([3, 2])), [[0, 1, 2, 3, 4, 5]]],
    flatten: [atShape([2, 3], flatten), [[0, 1, 2, 3, 4, 5]]],
  }
  it.each(Object.entries(layers))('%s', (_, [b, expected]) => expect(sources(b)).toEqual(expected))
})

it.each(['cpu', 'wasm'])('permute takes no examples on %s', async (engine) => {
  await ready(engine as 'cpu')
  const none = atShape([2, 3], permute([2, 0, 1]))
    .bind({})
    .forward(trust(tf.zeros([0, 2, 3])))[0]
  expect(unwrap(none).shape).toEqual([0, 2, 3])
})
it('permute has the inverse of its inverse as gradient, and moves what is not finite alone', () => {
  const moved = atShape([4], permute([2, 0, 3, 1])).bind({})
  const forward = (x: tf.Tensor): tf.Tensor => unwrap(moved.forward(trust(x))[0])
  const weights = tf.tensor2d([[1, 2, 3, 4]])
  const gradient = tf.grad((x) => tf.sum(tf.mul(forward(x), weights)))(tf.zeros([1, 4]))
  expect([...gradient.dataSync()]).toEqual([2, 4, 1, 3])
  expect([...forward(tf.tensor2d([[1, Number.NaN, 3, Infinity]])).dataSync()]).toEqual([3, 1, Infinity, Number.NaN])
})

describe('a shape that cannot be rearranged', () => {
  it.each<readonly [Layer<ShapeFn>, Shape, string]>([
    [squeeze, [3, 2, 1], 'squeeze: expected an even height, got 3 in 3×2×1'],
    [squeeze, [2, 3, 1], 'squeeze: expected an even width, got 3 in 2×3×1'],
    [ordered, [2, 2, 6], 'ordered: expected a multiple of 4 channels, got 2×2×6; put it after squeeze'],
    [factorOut, [2, 3], 'factorOut: expected an even number of channels, got 3 in 2×3'],
    [permute([0, 0]), [2], 'permute: expected a permutation of 0…1 for 2, got [0, 0]'],
    [permute([0, 1]), [3], 'permute: expected a permutation of 0…2 for 3, got [0, 1]'],
  ])('is a sentence', (layer, shape, sentence) => {
    expect(pipe(layer.at(shape), E.mapLeft(describeError))).toEqual(E.left(sentence))
  })
})
