/**
 * Convolutions in ONNX Runtime's own blocked layout: N×C/b×H×W×b, with filters that change at every step. The
 * operators are those that the runtime itself puts into inference graphs (domain `com.microsoft.nchwc`); they are not
 * documented, so `backend.ts` pins the version and probes the block size before it trusts them.
 *
 * - filters are O/b×I/b×h×w×bᵢ×bₒ, or O/b×I×h×w×bₒ for fewer input channels than a block, which are read unblocked
 * - y = s ⊙ x + b is a depthwise convolution of size 1, Σ over positions a pooling, Σ a ⊙ b a depthwise convolution of
 *   one image with the other
 * - dW is a convolution whose batch is the input channels and whose channels are the batch
 *
 * @module
 */

import type { CallOf } from '../../../compiler/call.js'
import type { Convolution } from '../../../compiler/passes/image-sums.js'
import { type Attribute, type Graph, NCHWC } from '../graph.js'
import type { Names } from '../layout.js'
import { type Geometry, geometry, isPlain } from './convolution.js'
import { backwards, ones, pad, reshape, sumOver, transpose } from './nodes.js'

/** What a convolution may take on the way. */
export interface Extras {
  readonly bias?: string
  /** Added before the activation; blocked. */
  readonly sum?: string
  readonly relu?: boolean
}

const conv = (
  graph: Graph,
  x: string,
  w: string,
  { bias, sum, relu }: Extras,
  attrs: Readonly<Record<string, Attribute>>,
): string => {
  const inputs = [x, w, ...(bias !== undefined || sum !== undefined ? [bias ?? ''] : []), ...(sum ? [sum] : [])]
  return graph.node('Conv', inputs, { domain: NCHWC, attrs: relu ? { ...attrs, activation: 'Relu' } : attrs })
}

const roundUp = (n: number, block: number): number => Math.ceil(n / block) * block

/** Whether a layer's input can be read: whole blocks, or less than one. */
const readable = (channels: number, block: number): boolean => channels % block === 0 || channels < block

/** Whether a convolution, or its gradient by the input, is one for these operators. */
export const suits = (names: Names, call: Convolution, block: number): boolean => {
  const { inputs, attrs } = call
  const filter = names.info(inputs[1]!).shape
  const back = call.kernel === 'Conv2DBackpropInput'
  const x = back ? call.attrs.inputShape : names.info(inputs[0]!).shape
  const [ci, co] = [filter[2]!, filter[3]!]
  return (
    isPlain(geometry(x, filter, attrs)) &&
    readable(back ? co : ci, block) &&
    // at least one side of it in whole blocks, or there is nothing to gain
    (ci % block === 0 || co % block === 0)
  )
}

/** The filter h×w×I×O as these operators want it, its outputs filled up to whole blocks. */
const pack = (graph: Graph, w: string, [kh, kw, ci, co]: readonly number[], block: number): string => {
  const outputs = roundUp(co!, block)
  const full = outputs === co ? w : pad(graph, w, [0, 0, 0, 0, 0, 0, 0, outputs - co!])
  const whole = ci! % block === 0
  const parts = whole ? [kh!, kw!, ci! / block, block, outputs / block, block] : [kh!, kw!, ci!, outputs / block, block]
  const order = whole ? [4, 2, 0, 1, 3, 5] : [3, 2, 0, 1, 4]
  return reshape(graph, transpose(graph, reshape(graph, full, parts), order), [outputs, ci!, kh!, kw!])
}

/** The filter of the gradient by the input: turned half a turn, inputs and outputs exchanged. */
const packTurned = (graph: Graph, w: string, [kh, kw, ci, co]: readonly number[], block: number): string => {
  const inputs = roundUp(ci!, block)
  const turned = kh! * kw! === 1 ? w : backwards(graph, w, [0, 1])
  const full = inputs === ci ? turned : pad(graph, turned, [0, 0, 0, 0, 0, 0, inputs - ci!, 0])
  const whole = co! % block === 0
  const parts = whole ? [kh!, kw!, inputs / block, block, co! / block, block] : [kh!, kw!, inputs / block, block, co!]
  const order = whole ? [2, 4, 0, 1, 5, 3] : [2, 4, 0, 1, 3]
  return reshape(graph, transpose(graph, reshape(graph, full, parts), order), [inputs, co!, kh!, kw!])
}

/** A result in the layout that it has: blocked, or channels first where its last block is filled up. */
interface Made {
  readonly name: string
  readonly layout: 'blocked' | 'first'
}

const unfilled = (graph: Graph, y: string, channels: number, block: number): Made =>
  channels % block === 0 ? { name: y, layout: 'blocked' } : { name: toFirst(graph, y, channels), layout: 'first' }

const source = (names: Names, v: number, channels: number, block: number): string =>
  names.get(v, channels % block === 0 ? 'blocked' : 'first')

type Border = readonly [top: number, left: number, bottom: number, right: number]
const border = ({ pads: { top, left, bottom, right } }: Geometry): Border => [top, left, bottom, right]

/** From blocked to channels first. */
const toFirst = (graph: Graph, x: string, channels: number): string =>
  graph.node('ReorderOutput', [x], { domain: NCHWC, attrs: { channels } })

/** A convolution or its gradient by the input, which {@link suits}. Extras want whole blocks of output channels. */
export const convolveBlocked = (
  graph: Graph,
  names: Names,
  call: Convolution,
  block: number,
  extras: Extras = {},
): Made => {
  const { inputs, attrs } = call
  const [x, filter] = inputs as readonly [number, number]
  const shape = names.info(filter).shape
  const [kh, kw, ci, co] = shape as readonly [number, number, number, number]
  const w = names.get(filter, 'last')
  if (call.kernel === 'Conv2D') {
    const own = { kernel_shape: [kh, kw], pads: border(geometry(names.info(x).shape, shape, attrs)) }
    const y = conv(graph, source(names, x, ci, block), pack(graph, w, shape, block), extras, own)
    return unfilled(graph, y, co, block)
  }
  const [top, left, bottom, right] = border(geometry(call.attrs.inputShape, shape, attrs))
  const own = { kernel_shape: [kh, kw], pads: [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right] }
  const dx = conv(graph, source(names, x, co, block), packTurned(graph, w, shape, block), extras, own)
  return unfilled(graph, dx, ci, block)
}

/** Whether the gradient by the filter is one for these operators. */
export const suitsFilterGradient = (
  names: Names,
  { inputs, attrs }: CallOf<'Conv2DBackpropFilter'>,
  block: number,
): boolean => {
  const x = names.info(inputs[0]!).shape
  const filter = attrs.filterShape as readonly [number, number, number, number]
  const g = geometry(x, filter, attrs)
  // of a 1×1 filter it is one product of matrices, which the ordinary operators do better
  return isPlain(g) && x[0]! % block === 0 && filter[3] % block === 0 && filter[0] * filter[1] > 1
}

/**
 * An image with columns of zeros at its sides, its batch and its channels (or blocks of them) exchanged: channels × batch
 * × rows × columns. Of a blocked image the channels of a block lie in the columns, side by side at each.
 */
const framed = (graph: Graph, names: Names, v: number, left: number, right: number, block: number): string => {
  const [n, h, w, c] = names.info(v).shape as readonly [number, number, number, number]
  const edge = left + right > 0
  if (!names.has(v, 'blocked')) {
    const first = names.get(v, 'first')
    return transpose(graph, edge ? pad(graph, first, [0, 0, 0, left, 0, 0, 0, right]) : first, [1, 0, 2, 3])
  }
  const x = names.get(v, 'blocked')
  // a depthwise convolution with ones is the fastest way to a border
  const attrs = { group: c, kernel_shape: [1, 1], pads: [0, left, 0, right] }
  const wide = edge ? conv(graph, x, ones(graph, [c, 1, 1, 1]), {}, attrs) : x
  return transpose(graph, reshape(graph, wide, [n, c / block, h, (left + w + right) * block]), [1, 0, 2, 3])
}

/**
 * dW as h×w×I×O: `x` with its channels as the batch and its batch as the channels, convolved with `dy` as the filter.
 * Of a blocked `x` the channels of a block are columns, so the filter's own columns are as far apart as a block is
 * long. The batch goes in groups of less than a block: then the operator reads `x` unblocked, and takes as filter
 * `dy` as it lies, but for whole images that change places. The sum over groups is left. Rows outside of `x` are skipped
 * by the operator; columns outside would be computed one by one, so zeros stand there.
 */
export const filterGradientBlocked = (
  graph: Graph,
  names: Names,
  { inputs, attrs }: CallOf<'Conv2DBackpropFilter'>,
  block: number,
): string => {
  const [x, dy] = inputs as readonly [number, number]
  const filter = attrs.filterShape as readonly [number, number, number, number]
  const [kh, kw, ci, co] = filter
  const [top, left, bottom, right] = border(geometry(names.info(x).shape, filter, attrs))
  const [n, h, w] = names.info(dy).shape as readonly [number, number, number, number]
  const blocks = names.has(x, 'blocked')
  const columns = blocks ? block : 1
  const size = block / 2
  const groups = n / size
  const image = names.once(x, `exchanged ${left},${right}`, () => framed(graph, names, x, left, right, block))
  const weights = names.once(dy, 'filter', () => {
    const parts = reshape(graph, names.get(dy, 'blocked'), [groups, size, co / block, h * w * block])
    return reshape(graph, transpose(graph, parts, [0, 2, 1, 3]), [groups * co, size, h, w])
  })
  const own = { group: groups, kernel_shape: [h, w], dilations: [1, columns], pads: [top, 0, bottom, 0] }
  const each = conv(graph, image, weights, {}, own)
  const apart = reshape(graph, each, [ci / columns, groups, co / block, kh, kw, columns, block])
  return reshape(graph, transpose(graph, sumOver(graph, apart, [1]), [2, 3, 0, 4, 1, 5]), filter)
}

/** s ⊙ x + b + sum, by channel, for blocked images of shape N×H×W×C. */
export const scaleBlocked = (graph: Graph, x: string, s: string, channels: number, extras: Extras): string =>
  conv(graph, x, reshape(graph, s, [channels, 1, 1, 1]), extras, { group: channels, kernel_shape: [1, 1] })

/** Σ or mean over batch and positions of a blocked image. */
export const poolBlocked = (graph: Graph, x: string, [n, h, w, c]: readonly number[], mean: boolean): string => {
  const each = reshape(graph, graph.node('GlobalAveragePool', [x], { domain: NCHWC }), [n!, c!])
  const all = sumOver(graph, each, [0], mean)
  return mean ? all : graph.node('Mul', [all, graph.constant('float32', [], [h! * w!])])
}

/** Σ or mean of a ⊙ b over batch and positions of blocked images. */
export const dotBlocked = (
  graph: Graph,
  a: string,
  b: string,
  [n, h, w, c]: readonly number[],
  mean: boolean,
): string => {
  const all = n! * c!
  const each = conv(
    graph,
    reshape(graph, a, [1, all, h!, w!]),
    reshape(graph, b, [all, 1, h!, w!]),
    {},
    { group: all, kernel_shape: [h!, w!] },
  )
  const total = sumOver(graph, reshape(graph, each, [n!, c!]), [0])
  return mean ? graph.node('Mul', [total, graph.constant('float32', [], [1 / (n! * h! * w!)])]) : total
}
