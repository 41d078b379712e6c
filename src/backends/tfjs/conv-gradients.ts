/**
 * The gradients of a convolution as convolutions, for the wasm backend: it has no kernel for the gradient of the
 * filter, and the one for the input runs at a tenth of the speed of the forward convolution. Covers stride 1 and
 * channels last, all that the library uses; strides above 1 fall back to the backend's kernel where there is one.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { override, type Rewrite } from './override.js'

type Shape4 = [number, number, number, number]

type Padding = [[number, number], [number, number], [number, number], [number, number]]

interface Geometry {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** The padding of a convolution that this module can rewrite, `undefined` for any other. */
const geometry = (xShape: Shape4, filterShape: Shape4, attrs: tf.NamedAttrMap): Geometry | undefined => {
  const { strides, pad, dataFormat, dimRoundingMode } = attrs
  if (dataFormat !== 'NHWC') return undefined
  const info = tf.backend_util.computeConv2DInfo(
    xShape,
    filterShape,
    strides as number,
    1,
    pad as 'same',
    dimRoundingMode as 'floor',
  )
  return info.strideHeight === 1 && info.strideWidth === 1 ? info.padInfo : undefined
}

const padding = (top: number, bottom: number, left: number, right: number): Padding => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
]

const rows = (t: tf.Tensor): tf.Tensor2D => tf.reshape(t, [-1, t.shape[3]!])

/** dX: `dy` convolved with the filter turned half a turn, its channels exchanged. */
const inputGradient: Rewrite = ({ dy, filter }, attrs) => {
  const inputShape = attrs['inputShape'] as Shape4
  const [kh, kw, ci, co] = filter!.shape as Shape4
  const pad = geometry(inputShape, [kh, kw, ci, co], attrs)
  // More padding than the filter reaches leaves rows of dy that must be cut, not padded.
  if (pad === undefined || Math.max(pad.top, pad.bottom) >= kh || Math.max(pad.left, pad.right) >= kw) return undefined
  if (kh * kw === 1) return tf.reshape(tf.matMul(rows(dy!), tf.transpose(tf.reshape(filter!, [ci, co]))), inputShape)
  const turned = tf.reverse(tf.reshape(filter!, [kh * kw, ci, co]), 0)
  return tf.conv2d(
    dy as tf.Tensor4D,
    tf.reshape(tf.transpose(turned, [0, 2, 1]), [kh, kw, co, ci]),
    1,
    padding(kh - 1 - pad.top, kh - 1 - pad.bottom, kw - 1 - pad.left, kw - 1 - pad.right),
  )
}

/** dW: `x`, its channels as the batch, convolved with `dy` as one large filter, its batch as the channels. */
const filterGradient: Rewrite = ({ x, dy }, attrs) => {
  const filterShape = attrs['filterShape'] as Shape4
  const pad = geometry(x!.shape as Shape4, filterShape, attrs)
  if (pad === undefined) return undefined
  if (filterShape[0] * filterShape[1] === 1 && pad.top + pad.bottom + pad.left + pad.right === 0)
    return tf.reshape(tf.matMul(tf.transpose(rows(x!)), rows(dy!)), filterShape)
  const taps = tf.conv2d(
    tf.transpose(x as tf.Tensor4D, [3, 1, 2, 0]),
    tf.transpose(dy as tf.Tensor4D, [1, 2, 0, 3]),
    1,
    padding(pad.top, pad.bottom, pad.left, pad.right),
  )
  return tf.transpose(taps, [1, 2, 0, 3])
}

/** Registers both gradients on the wasm backend. */
export const registerConvGradients = (): void => {
  override(tf.Conv2DBackpropInput, inputGradient)
  override(tf.Conv2DBackpropFilter, filterGradient)
}
