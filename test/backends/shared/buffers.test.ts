import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, describe, expect, it } from 'vitest'
import { storage } from '../../../src/backends/shared/buffers.js'

beforeAll(() => ready('cpu'))

/** Two tensors over an array of five numbers. */
const pair = (data: Float32Array): readonly tf.Tensor[] =>
  storage().tensors('float32', data, [
    { shape: [2], piece: data.subarray(0, 2) },
    { shape: [3, 1], piece: data.subarray(2) },
  ])

describe('what a native runtime answered', () => {
  it('is kept in one array, used again when all of its pieces are freed', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5)
    const [a, b] = pair(data) as [tf.Tensor, tf.Tensor]
    expect([a.shape, b.shape]).toEqual([[2], [3, 1]])
    expect(storage().peek(b.dataId)).toEqual(Float32Array.of(3, 4, 5))
    a.dispose()
    expect(storage().take('float32', 5)).not.toBe(data)
    b.dispose()
    expect(storage().take('float32', 5)).toBe(data)
  })

  it('is read as a copy, and moved by an eager operation, after which its array is free', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5)
    const [a, b] = pair(data) as [tf.Tensor, tf.Tensor]
    const read = a.dataSync()
    read[0] = 7
    expect(a.dataSync()).toEqual(Float32Array.of(1, 2))
    const sums = [tf.add(a, 1), tf.sum(b), tf.clone(b)]
    expect(sums.map((t) => Array.from(t.dataSync()))).toEqual([[2, 3], [12], [3, 4, 5]])
    expect([a, b].map((t) => storage().peek(t.dataId))).toEqual([undefined, undefined])
    expect(storage().take('float32', 5)).toBe(data)
    tf.dispose([a, b, ...sums])
  })

  it('has one owner, if it is all of its pieces in order', () => {
    const owner = {}
    const look = () => Float32Array.of(1)
    let released = 0
    const pieces = (of: object) =>
      storage().pieces(
        'float32',
        of,
        [0, 1].map(() => ({ shape: [1], look })),
        () => released++,
      )
    const [a, b] = pieces(owner) as [tf.Tensor, tf.Tensor]
    const [c] = pieces({}) as [tf.Tensor]
    const eager = tf.scalar(1)
    expect(storage().ownerOf([a, b])).toBe(owner)
    for (const others of [[], [a], [b, a], [a, c], [a, b, c], [a, eager], [eager]])
      expect(storage().ownerOf(others)).toBe(undefined)
    tf.dispose([a, eager])
    expect(released).toBe(0)
    b.dispose()
    expect(released).toBe(1)
    c.dispose()
  })
})
