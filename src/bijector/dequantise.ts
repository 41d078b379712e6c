/**
 * Uniform dequantisation: what turns integer images into continuous ones, so that a density over them bounds the
 * probability of the integers (Theis et al. 2016).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Shape } from '../../types/shape.js'
import { zeroPerExample } from '../tensor/ops.js'
import { type Key, uniformArray } from '../tensor/random.js'
import { sizes, type Tensor, trust, unwrap } from '../tensor/tensor.js'
import { drawn } from '../tracing.js'
import { type Diffeo, diffeo } from './diffeo.js'

/**
 * Adds the noise u ~ U[0, 1) that a key gives. For a fixed key it is a bijection between integer images and their
 * noisy ones; the inverse rounds down, so it takes any noise away. `jit` refuses `forward`: dequantise outside of it.
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
      const u = drawn('dequantise', sizes(x), () => noise(key, unwrap(x).size))
      return [trust(tf.add(unwrap(x), u)), zeroPerExample(x)]
    },
    (y) => [trust(tf.floor(unwrap(y))), zeroPerExample(y)],
  )

/** The greatest noise that 255 + u still rounds below 256 in float32. */
const largest = 1 - 2 ** -16

const noise = (key: Key, size: number): Float32Array => uniformArray(key, size).map((u) => Math.min(u, largest))
