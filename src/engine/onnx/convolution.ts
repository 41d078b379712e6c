/**
 * Convolutions and their gradients as ordinary ONNX operators, channels first.
 *
 * The gradient of the input is a convolution with the filter turned half a turn, which is faster than ConvTranspose.
 * That of the filter is a product of matrices of shifted images: `x` shifted by column, `dy` by row, each the rows of
 * one matrix, so that all k² offsets come out of a single batched product; a convolution with `dy` as the filter runs
 * at a tenth of that speed.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Call } from '../program.js'
import type { Names } from './layout.js'
import { type Graph, MICROSOFT } from './model.js'
import { backwards, ints, pad, reshape, sumOver, transpose } from './nodes.js'

type Shape4 = readonly [number, number, number, number]

/** What {@link convolve} and {@link inputGradient} translate. */
export const convolutions: ReadonlySet<string> = new Set(['Conv2D', 'Conv2DBackpropInput'])

/** What a convolution is, in numbers. */
export interface Geometry {
  readonly x: Shape4
  readonly y: Shape4
  readonly kernel: readonly [height: number, width: number]
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  readonly pads: { readonly top: number; readonly bottom: number; readonly left: number; readonly right: number }
}

/** The geometry of a convolution of an `x` of shape N×H×W×I with a filter of shape h×w×I×O. */
export const geometry = (x: readonly number[], filter: readonly number[], attrs: tf.NamedAttrMap): Geometry => {
  if ((attrs['dataFormat'] ?? 'NHWC') !== 'NHWC') throw new Error('onnx: convolutions with channels first')
  const info = tf.backend_util.computeConv2DInfo(
    [...x] as [number, number, number, number],
    [...filter] as [number, number, number, number],
    attrs['strides'] as number,
    (attrs['dilations'] as number | undefined) ?? 1,
    attrs['pad'] as 'same',
    attrs['dimRoundingMode'] as 'floor',
  )
  const { padInfo, strideHeight, strideWidth, dilationHeight, dilationWidth, outShape } = info
  return {
    x: x as Shape4,
    y: outShape,
    kernel: [filter[0]!, filter[1]!],
    strides: [strideHeight, strideWidth],
    dilations: [dilationHeight, dilationWidth],
    pads: padInfo,
  }
}

/** The attributes of ONNX's Conv. */
const convAttrs = ({ kernel, strides, dilations, pads: { top, left, bottom, right } }: Geometry) => ({
  kernel_shape: kernel,
  strides,
  dilations,
  pads: [top, left, bottom, right],
})

/** y = x ∗ filter (+ bias), channels first. */
export const convolve = (graph: Graph, names: Names, { inputs, attrs }: Call, bias?: string): string => {
  const [x, filter] = inputs as readonly [number, number]
  const g = geometry(names.info(x).shape, names.info(filter).shape, attrs)
  const weights = transpose(graph, names.get(filter, 'last'), [3, 2, 0, 1])
  const given = [names.get(x, 'first'), weights, ...(bias === undefined ? [] : [bias])]
  return graph.node('Conv', given, { attrs: convAttrs(g) })
}

/** Stride and dilation 1, and no more padding than the filter reaches. */
export const isPlain = ({ strides, dilations, pads, kernel: [h, w] }: Geometry): boolean =>
  [...strides, ...dilations].every((n) => n === 1) &&
  Math.max(pads.top, pads.bottom) < h &&
  Math.max(pads.left, pads.right) < w

/** dX, channels first. */
export const inputGradient = (graph: Graph, names: Names, { inputs, attrs }: Call): string => {
  const [dy, filter] = inputs as readonly [number, number]
  const weights = names.get(filter, 'last')
  const g = geometry(attrs['inputShape'] as number[], names.info(filter).shape, attrs)
  const [kh, kw] = g.kernel
  const { top, left, bottom, right } = g.pads
  if (!isPlain(g)) {
    const { pads: _, ...own } = convAttrs(g)
    // what the strides leave over at the lower and right edge
    const over = [0, 1].map((i) => {
      const [before, after] = i === 0 ? [top, bottom] : [left, right]
      return (
        g.x[i + 1]! - ((g.y[i + 1]! - 1) * g.strides[i]! + (g.kernel[i]! - 1) * g.dilations[i]! + 1 - before - after)
      )
    })
    const turned = transpose(graph, weights, [3, 2, 0, 1])
    const given = [names.get(dy, 'first'), turned]
    return graph.node('ConvTranspose', given, {
      attrs: { ...own, pads: [top, left, bottom, right], output_padding: over },
    })
  }
  const swapped = transpose(graph, weights, [2, 3, 0, 1])
  const back = kh * kw === 1 ? swapped : backwards(graph, swapped, [2, 3])
  const pads = [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right]
  return graph.node('Conv', [names.get(dy, 'first'), back], { attrs: { kernel_shape: g.kernel, pads } })
}

/** dW as h×w×I×O, the layout of TensorFlow.js. */
export const filterGradient = (graph: Graph, names: Names, { inputs, attrs }: Call): string => {
  const [xv, dyv] = inputs as readonly [number, number]
  const g = geometry(names.info(xv).shape, attrs['filterShape'] as number[], attrs)
  const [kh, kw] = g.kernel
  const { top, left, bottom, right } = g.pads
  const [n, h, w, ci] = g.x
  const [, oh, ow, co] = g.y
  const x = names.get(xv, 'first')
  const dy = names.get(dyv, 'first')
  if (!isPlain(g)) {
    // the batch as channels; what strides leave over at the edges is cut away
    const turned = [x, dy].map((image) => transpose(graph, image, [1, 0, 2, 3]))
    const attrs = {
      kernel_shape: [oh, ow],
      pads: [top, left, bottom, right],
      dilations: g.strides,
      strides: g.dilations,
    }
    const all = graph.node('Conv', turned, { attrs })
    const cut = graph.node('Slice', [all, ints(graph, [0, 0]), ints(graph, [kh, kw]), ints(graph, [2, 3])])
    return transpose(graph, cut, [2, 3, 0, 1])
  }
  const multiply = (a: string, b: string) => {
    const products = graph.node('FusedMatMul', [a, b], { domain: MICROSOFT, attrs: { transB: 1 } })
    return sumOver(graph, products, [0])
  }
  if (kh * kw === 1 && top + left + bottom + right === 0)
    return reshape(graph, multiply(reshape(graph, x, [n, ci, h * w]), reshape(graph, dy, [n, co, h * w])), [
      1,
      1,
      ci,
      co,
    ])
  // Rows of x from −top on, as many as dy moved by any row offset can meet; columns cut to dy's width.
  const tall = h + top + bottom
  const columns = Array.from({ length: kw }, (_, j) =>
    reshape(graph, pad(graph, x, [0, 0, top, left - j, 0, 0, bottom, ow + j - left - w]), [n, ci, tall * ow]),
  )
  const shifted = columns.length === 1 ? columns[0]! : graph.node('Concat', columns, { attrs: { axis: 1 } })
  // dy moved by 0, 1, … rows, one after another in one vector: as many zeros stand between any two
  const flat = reshape(graph, dy, [n, co, oh * ow])
  const zeros = graph.node('ConstantOfShape', [ints(graph, [n, co, kh * ow])])
  const moved = Array.from({ length: 2 * kh - 1 }, (_, i) => (i % 2 === 0 ? flat : zeros))
  const rows = kh === 1 ? flat : graph.node('Concat', moved, { attrs: { axis: 2 } })
  const all = multiply(shifted, reshape(graph, rows, [n, co * kh, tall * ow]))
  const apart = reshape(graph, all, [kw, ci, co, kh])
  return transpose(graph, apart, [3, 0, 1, 2])
}
