import * as tf from '@tensorflow/tfjs-core'
import { ready } from 'diffeo/engine'
import { beforeAll, expect, it } from 'vitest'
import { mixed, moments } from '../../src/nn/statistics.js'

beforeAll(async () => {
  await ready('cpu')
})

const x = () => tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 12], [2, 2, 2])
const read = (t: tf.Tensor) => [t.shape, [...t.dataSync()]]

it('moments are one number for each channel, over all other axes', () => {
  tf.tidy(() => {
    const { mean, variance } = moments(x())
    expect(read(mean)).toEqual([[2], [4, 6]])
    expect(read(variance)).toEqual([[2], [5, 14]])
  })
})
it('moments over chosen axes keep them as 1, so that they broadcast', () => {
  tf.tidy(() => {
    const { mean, variance } = moments(x(), [1])
    expect(read(mean)).toEqual([
      [2, 1, 2],
      [2, 3, 6, 9],
    ])
    expect(read(variance)).toEqual([
      [2, 1, 2],
      [1, 1, 1, 9],
    ])
  })
})
it('a running statistic takes the share of the momentum from the batch', () => {
  tf.tidy(() => {
    expect(read(mixed(0.25, tf.tensor1d([4, 8]), tf.tensor1d([8, 0])))).toEqual([[2], [5, 6]])
  })
})
