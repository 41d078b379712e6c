/**
 * Uniform dequantisation turns integer images into continuous ones, so that a density over them bounds the probability of
 * the integers (Theis et al. 2016).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Shape } from '../../types/shape.js'
import { floatSizesIn } from '../tensor/numbers.js'
import { zeroPerExample } from '../tensor/ops.js'
import { type Key, uniformArray } from '../tensor/random.js'
import { type Tensor, trust, unwrap } from '../tensor/tensor.js'
import { drawn } from '../tracing.js'
import { type Diffeo, diffeo } from './diffeo.js'

/**
 * Adds noise u ~ U[0, 1), drawn with a key. For a fixed key this is a bijection between integer images and noisy ones.
 * The inverse rounds down, so it removes any such noise. `jit` refuses `forward`: dequantise outside it.
 *
 * - Forward: y = x + u(key)
 * - Forward log-det: 0
 * - Inverse: x = ⌊y⌋
 * - Inverse log-det: 0
 *
 * @example const [noisy] = dequantise<[28, 28, 1]>(foldIn(k, 7)).forward(pixels) // in [0, 256)
 */
export const dequantise = <S extends Shape>(key: Key): Diffeo<Tensor<Batch<S>>, Tensor<Batch<S>>> =>
  diffeo(
    (x) => {
      const u = drawn('dequantise', floatSizesIn('dequantise')(x), () => noise(key, unwrap(x).size))
      return [trust(tf.add(unwrap(x), u)), zeroPerExample(x)]
    },
    (y) => {
      floatSizesIn('dequantise')(y)
      return [trust(tf.floor(unwrap(y))), zeroPerExample(y)]
    },
  )

/** The largest noise u for which 255 + u is still below 256 in float32. */
const largest = 1 - 2 ** -16

const noise = (key: Key, size: number): Float32Array => uniformArray(key, size).map((u) => Math.min(u, largest))
