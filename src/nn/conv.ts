/**
 * Convolutions and normalisations for the nets of couplings. All are same-padded with stride 1.
 *
 * - weight norm (Salimans & Kingma 2016): w = g·v/‖v‖, one magnitude g for each output channel
 * - batch norm: (x − μ)/√(σ² + ε)·γ + β over batch and positions; running statistics in evaluation; biased variance
 * - instance norm: the same over the positions of each example alone, so training and evaluation agree
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { bias, conv2d } from '../tensor/ops.js'
import { constant, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import { type AnyTensor, trust, unwrap } from '../tensor/tensor.js'
import { heStart } from './start.js'
import { mixed, moments } from './statistics.js'

/** How activations are normalised inside a net. */
export type Norm = 'batch' | 'instance' | 'none'
export const NORMS: readonly Norm[] = ['batch', 'instance', 'none']

/** A convolution's parameters; `zero` starts it at 0. The last `context` of its input channels start without influence. */
export const convSpec = (
  size: number,
  from: number,
  to: number,
  {
    zero = false,
    weightNorm = true,
    context = 0,
  }: { readonly zero?: boolean; readonly weightNorm?: boolean; readonly context?: number } = {},
) => {
  const plain = {
    kernel: zero && !weightNorm ? constant([size, size, from, to], 0) : heStart([size, size, from, to], context),
    bias: constant([to], 0),
  }
  return weightNorm ? { ...plain, gain: constant([to], zero ? 0 : 1) } : plain
}

/** N×H×W×I → N×H×W×O */
export const conv =
  (p: Params) =>
  (x: AnyTensor): AnyTensor =>
    bias(p['bias'] as AnyTensor)(conv2d(kernelOf(p))(x))

/** The kernel, or g·v/‖v‖ where there is a gain. */
const kernelOf = (p: Params): AnyTensor => {
  const v = unwrap(p['kernel'] as AnyTensor)
  const gain = p['gain']
  if (gain === undefined) return trust(v)
  const rows = tf.reshape(v, [-1, v.shape.at(-1)!])
  const norm = tf.sqrt(tf.add(tf.sum(tf.square(rows), 0), 1e-12))
  return trust(tf.mul(v, tf.div(unwrap(gain as AnyTensor), norm)))
}

/** A normalisation's parameters. */
export const normSpec = (norm: Norm, channels: number): Spec =>
  norm === 'none'
    ? {}
    : {
        gain: constant([channels], 1),
        bias: constant([channels], 0),
        ...(norm === 'batch'
          ? { mean: constant([channels], 0, 'statistic'), variance: constant([channels], 1, 'statistic') }
          : {}),
      }

type NormParams = ParamsOf<{ gain: ReturnType<typeof constant<[number]>>; bias: ReturnType<typeof constant<[number]>> }>

const epsilon = 1e-5
const momentum = 0.05

/** Normalises over every axis but the last (batch norm) or over positions alone (instance norm). */
export const normalise =
  (norm: Norm, params: Params, train: boolean) =>
  (value: AnyTensor): readonly [AnyTensor, Params] => {
    if (norm === 'none') return [value, params]
    const x = unwrap(value)
    const p = params as NormParams
    const finish = (mean: tf.Tensor, variance: tf.Tensor): AnyTensor => {
      const slope = tf.mul(unwrap(p.gain), tf.rsqrt(tf.add(variance, epsilon)))
      return trust(tf.add(tf.mul(x, slope), tf.sub(unwrap(p.bias), tf.mul(mean, slope))))
    }
    if (norm === 'instance') {
      const { mean, variance } = moments(x, [...x.shape.keys()].slice(1, -1))
      return [finish(mean, variance), params]
    }
    const running = { mean: unwrap(params['mean'] as AnyTensor), variance: unwrap(params['variance'] as AnyTensor) }
    if (!train) return [finish(running.mean, running.variance), params]
    const { mean, variance } = moments(x)
    const mix = (old: tf.Tensor, fresh: tf.Tensor): AnyTensor => trust(mixed(momentum, old, fresh))
    return [
      finish(mean, variance),
      { ...params, mean: mix(running.mean, mean), variance: mix(running.variance, variance) },
    ]
  }
