/**
 * Log-dets of maps of the last axis that do the same at every position.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../types/shape.js'
import { product } from '../tensor/shape.js'
import { type PerExample, trust } from '../tensor/tensor.js'

/** One number per example: each channel's term counts once for each position. */
export const perExample = (term: tf.Tensor, shape: Shape, like: tf.Tensor): PerExample =>
  trust(tf.mul(tf.ones([like.shape[0]!]), tf.mul(tf.sum(term), product(shape.slice(0, -1)))))
