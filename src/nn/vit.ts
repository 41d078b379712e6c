/**
 * A vision transformer as the net of a coupling (Dosovitskiy et al. 2021; Kolesnikov et al. 2024, "Jet"): every position of
 * an image is a token, so squeeze the image first. It sees the whole image at once, where a convolution sees 3×3.
 *
 *     h = x·W + b + position
 *     h ← h + attention(norm(h))                           for each block
 *     h ← h + W₂·gelu(W₁·norm(h) + b₁) + b₂
 *     y = norm(h)·W + b                                    0 at the start
 *
 * Attention costs O((H·W)²) time and memory for each example, head and block.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { shapeError, usageError } from '../error.js'
import { add, bias, matmul, tidy } from '../tensor/ops.js'
import { count, wrongOption } from '../tensor/options.js'
import { branch, constant, gaussian, type Params, type Spec } from '../tensor/params.js'
import { product, show } from '../tensor/shape.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'
import { denseSpec } from './mlp.js'
import { module } from './module.js'
import type { Net } from './net.js'
import { moments } from './statistics.js'

export interface VitOptions {
  /** Numbers of each token, a multiple of `heads`. Default: 64 */
  readonly width?: number
  /** Blocks of attention and MLP. Default: 2 */
  readonly depth?: number
  /** Heads of attention. Default: 4 */
  readonly heads?: number
}

const epsilon = 1e-5
const normSpec = (width: number): Spec => ({ gain: constant([width], 1), bias: constant([width], 0) })
/** Weights of variance 1/inputs: attention and GELU are not ReLU. */
const linearSpec = (from: number, to: number): Spec => ({
  kernel: gaussian([from, to], Math.sqrt(1 / from)),
  bias: constant([to], 0),
})

/** […, I] → […, O] */
const linear =
  (p: Params) =>
  (x: AnyTensor): AnyTensor =>
    pipe(x, matmul(p['kernel'] as AnyTensor), bias(p['bias'] as AnyTensor))

/** Each token with mean 0 and variance 1, then scaled and shifted. */
const layerNorm =
  (p: Params) =>
  (value: AnyTensor): AnyTensor => {
    const x = unwrap(value)
    const { mean, variance } = moments(x, [x.rank - 1])
    const unit = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)))
    return trust(tf.add(tf.mul(unit, unwrap(p['gain'] as AnyTensor)), unwrap(p['bias'] as AnyTensor)))
  }

/** x·Φ(x) */
const gelu = (value: AnyTensor): AnyTensor => {
  const x = unwrap(value)
  return trust(tf.mul(x, tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5)))
}

/** softmax(q·kᵀ/√d)·v for each head, of tokens N×T×width. */
const attend =
  (p: Params, heads: number) =>
  (tokens: AnyTensor): AnyTensor => {
    const [n, count, width] = sizes(tokens) as [number, number, number]
    const size = width / heads
    const [q, k, v] = tf
      .split(unwrap(linear(branch(p, 'qkv'))(tokens)), 3, 2)
      .map((part) => tf.transpose(tf.reshape(part, [n, count, heads, size]), [0, 2, 1, 3])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(size)))
    const joined = tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [n, count, width])
    return linear(branch(p, 'out'))(trust(joined))
  }

/**
 * A vision transformer over the positions of an image.
 *
 * @example
 * compose(input([32, 32, 3]), squeeze, squeeze, coupling(channelwise(), vit({ width: 64, depth: 2, heads: 4 })))
 */
export const vit = ({ width = 64, depth = 2, heads = 4 }: VitOptions = {}): Net<'image'> => ({
  kind: 'image',
  name: `vit(${width}, ${depth}, ${heads})`,
  at: (from, to, context = 0) => {
    const wrong = wrongOption('vit', [
      count('numbers of a token', width),
      count('blocks', depth),
      count('heads', heads),
    ])
    if (wrong !== undefined) return E.left(wrong)
    if (width % heads !== 0)
      return E.left(usageError('vit', `a width that is a multiple of ${heads} heads`, `${width}`))
    if (from.length !== 3) return E.left(shapeError('vit', 'height×width×channels', show(from)))
    if (to.length !== 3 || to[0] !== from[0] || to[1] !== from[1])
      return E.left(shapeError('vit', `${from[0]}×${from[1]}×channels as output`, show(to)))
    const [channels, outputs] = [from[2]!, to[2]!]
    const tokens = product(from.slice(0, 2))
    const blocks = Array.from({ length: depth }, (_, i) => `block${i}`)
    const spec: Spec = {
      embed: denseSpec(channels, width, false, context),
      position: gaussian([tokens, width], 0.02),
      ...Object.fromEntries(
        blocks.map((name) => [
          name,
          {
            norm1: normSpec(width),
            qkv: linearSpec(width, 3 * width),
            out: linearSpec(width, width),
            norm2: normSpec(width),
            up: linearSpec(width, 4 * width),
            down: linearSpec(4 * width, width),
          },
        ]),
      ),
      norm: normSpec(width),
      out: denseSpec(width, outputs, true),
    }
    return E.right(
      module('vit', spec, (params, x) =>
        tidy(() => {
          const [n] = sizes(x)
          const own = (name: string) => branch(params, name)
          const flat = trust(tf.reshape(unwrap(x), [n!, tokens, channels])) as AnyTensor
          const start = trust(tf.add(unwrap(linear(own('embed'))(flat)), unwrap(params['position'] as AnyTensor)))
          const end = blocks.reduce<AnyTensor>((h, name) => {
            const p = own(name)
            const seen = add(pipe(h, layerNorm(branch(p, 'norm1')), attend(p, heads)))(h)
            const changed = pipe(
              seen,
              layerNorm(branch(p, 'norm2')),
              linear(branch(p, 'up')),
              gelu,
              linear(branch(p, 'down')),
            )
            return add(changed)(seen)
          }, start)
          const y = pipe(end, layerNorm(own('norm')), linear(own('out')))
          return [trust(tf.reshape(unwrap(y), [n!, ...to])), params] as const
        }),
      ),
    )
  },
})
