/**
 * Convolutions and their gradients as ordinary ONNX operators, channels first.
 *
 * The gradient of the input is a convolution with the filter turned half a turn, which is faster than ConvTranspose.
 * That of the filter is a product of matrices of shifted images: `x` shifted by row, `dy` by column, each the rows of
 * one matrix, so that all k² offsets of the whole batch come out of a single product; a convolution with `dy` as the
 * filter runs at a tenth of that speed.
 *
 * @module
 */
import type { CallOf, ConvolutionAttributes } from '../../../compiler/call.js'
import { convolutionInfo } from '../../../compiler/operations.js'
import { type Graph, MICROSOFT } from '../graph.js'
import type { Names } from '../layout.js'
import { backwards, ints, pad, reshape, sumFirst, transpose } from './nodes.js'

type Shape4 = readonly [number, number, number, number]

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
export const geometry = (x: readonly number[], filter: readonly number[], attrs: ConvolutionAttributes): Geometry => {
  const { strides, dilations } = attrs
  const { padInfo, outShape } = convolutionInfo(x, filter, attrs)
  return { x: x as Shape4, y: outShape, kernel: [filter[0]!, filter[1]!], strides, dilations, pads: padInfo }
}

/** The attributes of ONNX's Conv. */
const convAttrs = ({ kernel, strides, dilations, pads: { top, left, bottom, right } }: Geometry) => ({
  kernel_shape: kernel,
  strides,
  dilations,
  pads: [top, left, bottom, right],
})

/** y = x ∗ filter (+ bias), channels first. */
export const convolve = (
  graph: Graph,
  names: Names,
  { inputs, attrs }: Pick<CallOf<'Conv2D'>, 'inputs' | 'attrs'>,
  bias?: string,
): string => {
  const [x, filter] = inputs as readonly [number, number]
  const g = geometry(names.info(x).shape, names.info(filter).shape, attrs)
  const [kh, kw, ci, co] = names.info(filter).shape as Shape4
  // two orders of matrices are faster than one of all axes
  const byOutput = transpose(graph, reshape(graph, names.get(filter, 'last'), [kh * kw * ci, co]), [1, 0])
  const taps = kh * kw === 1 ? byOutput : transpose(graph, reshape(graph, byOutput, [co, kh * kw, ci]), [0, 2, 1])
  const given = [names.get(x, 'first'), reshape(graph, taps, [co, ci, kh, kw]), ...(bias === undefined ? [] : [bias])]
  return graph.node('Conv', given, { attrs: convAttrs(g) })
}

/** Stride and dilation 1, and no more padding than the filter reaches. */
export const isPlain = ({ strides, dilations, pads, kernel: [h, w] }: Geometry): boolean =>
  [...strides, ...dilations].every((n) => n === 1) &&
  Math.max(pads.top, pads.bottom) < h &&
  Math.max(pads.left, pads.right) < w

/** dX (+ bias), channels first. */
export const inputGradient = (
  graph: Graph,
  names: Names,
  { inputs, attrs }: Pick<CallOf<'Conv2DBackpropInput'>, 'inputs' | 'attrs'>,
  bias?: string,
): string => {
  const [dy, filter] = inputs as readonly [number, number]
  const weights = names.get(filter, 'last')
  const g = geometry(attrs.inputShape, names.info(filter).shape, attrs)
  const [kh, kw] = g.kernel
  const { top, left, bottom, right } = g.pads
  const added = bias === undefined ? [] : [bias]
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
    const given = [names.get(dy, 'first'), turned, ...added]
    return graph.node('ConvTranspose', given, {
      attrs: { ...own, pads: [top, left, bottom, right], output_padding: over },
    })
  }
  const [ci, co] = [g.x[3], g.y[3]]
  const taps = reshape(graph, weights, [kh * kw, ci * co])
  const turned = kh * kw === 1 ? taps : transpose(graph, backwards(graph, taps, [0]), [1, 0])
  const back = reshape(graph, turned, [ci, co, kh, kw])
  const pads = [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right]
  return graph.node('Conv', [names.get(dy, 'first'), back, ...added], { attrs: { kernel_shape: g.kernel, pads } })
}

/** dW as h×w×I×O, the layout of TensorFlow.js. */
export const filterGradient = (
  graph: Graph,
  names: Names,
  { inputs, attrs }: CallOf<'Conv2DBackpropFilter'>,
): string => {
  const [xv, dyv] = inputs as readonly [number, number]
  const g = geometry(names.info(xv).shape, attrs.filterShape, attrs)
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
  const multiply = (a: string, b: string) =>
    graph.node('FusedMatMul', [a, b], { domain: MICROSOFT, attrs: { transB: 1 } })
  if (kh * kw === 1) {
    const each = multiply(reshape(graph, x, [n, ci, h * w]), reshape(graph, dy, [n, co, h * w]))
    return reshape(graph, sumFirst(graph, each, [n, ci * co]), [1, 1, ci, co])
  }
  // A channel of an example is one vector, where a row further leaves the image at the ends alone.
  const [tall, wide] = [Math.max(h, oh), Math.max(w, ow)]
  const size = tall * wide
  const vectors = (image: string, [, rows, columns, channels]: Shape4): string => {
    const behind = [0, 0, 0, 0, 0, 0, tall - rows, wide - columns]
    const full = behind.some((zeros) => zeros > 0) ? pad(graph, image, behind) : image
    return reshape(graph, full, [n, channels, size])
  }
  const under = kh - 1 - top
  const length = size + Math.max(top, under) * wide + kw - 1
  /** Copies of every channel as vectors of `length`, each moved by `step` against the one before: zeros lie between. */
  const moved = (copies: readonly string[], channels: number, first: number, step: number): string => {
    const between = length + step - size
    const rest = copies.length * (length - size) - first - (copies.length - 1) * between
    const zeros = (count: number) =>
      count === 0 ? [] : [graph.node('ConstantOfShape', [ints(graph, [n, channels, count])])]
    const parts = copies.flatMap((copy, i) => [...zeros(i === 0 ? first : between), copy])
    const all = graph.node('Concat', [...parts, ...zeros(rest)], { attrs: { axis: 2 } })
    return reshape(graph, all, [n, channels * copies.length, length])
  }
  const xs = vectors(x, g.x)
  const dys = vectors(dy, g.y)
  // a column further leaves it at the end of each row: dy has zeros where x would be met beyond
  const masked = Array.from({ length: kw }, (_, j) => {
    const inside = Array.from({ length: size }, (_, p) => {
      const met = (p % wide) + j - left
      return met >= 0 && met < wide ? 1 : 0
    })
    return j === left ? dys : graph.node('Mul', [dys, graph.constant('float32', [size], inside)])
  })
  const byRow = Array.from({ length: kh }, () => xs)
  const all = multiply(moved(byRow, ci, (kh - 1) * wide + left, -wide), moved(masked, co, under * wide, 1))
  const sum = sumFirst(graph, all, [n, ci * kh * co * kw])
  // two orders of lines are faster than one of numbers
  const byColumn = transpose(graph, reshape(graph, sum, [ci * kh * co, kw]), [1, 0])
  return transpose(graph, reshape(graph, byColumn, [kw, ci, kh, co]), [2, 0, 1, 3])
}
