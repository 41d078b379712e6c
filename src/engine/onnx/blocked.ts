/**
 * Convolutions in ONNX Runtime's own blocked layout: N×C/b×H×W×b, with filters that change at every step. The
 * operators are those that the runtime itself puts into inference graphs (domain `com.microsoft.nchwc`); they are not
 * documented, so `onnxruntime.ts` pins the version and probes the block size before it trusts them.
 *
 * - filters are O/b×I/b×h×w×bᵢ×bₒ, or O/b×I×h×w×bₒ for fewer input channels than a block, which are read unblocked
 * - y = s ⊙ x + b is a depthwise convolution of size 1, Σ over positions a pooling, Σ a ⊙ b a depthwise convolution of
 *   one image with the other
 * - dW is a convolution whose batch is the input channels and whose channels are the batch
 *
 * @module
 */
import type { Call } from '../program.js'
import { type Geometry, geometry, ints, isPlain } from './convolution.js'
import type { Names } from './layout.js'
import { type Attribute, type Graph, NCHWC } from './model.js'

const reshape = (graph: Graph, x: string, shape: readonly number[]): string =>
  graph.node('Reshape', [x, ints(graph, shape)])
const transpose = (graph: Graph, x: string, perm: readonly number[]): string =>
  graph.node('Transpose', [x], { attrs: { perm } })

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
export const suits = (names: Names, { kernel, inputs, attrs }: Call, block: number): boolean => {
  const filter = names.info(inputs[1]!).shape
  const back = kernel === 'Conv2DBackpropInput'
  const x = back ? (attrs['inputShape'] as number[]) : names.info(inputs[0]!).shape
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
  const full = outputs === co ? w : graph.node('Pad', [w, ints(graph, [0, 0, 0, 0, 0, 0, 0, outputs - co!])])
  const whole = ci! % block === 0
  const parts = whole ? [kh!, kw!, ci! / block, block, outputs / block, block] : [kh!, kw!, ci!, outputs / block, block]
  const order = whole ? [4, 2, 0, 1, 3, 5] : [3, 2, 0, 1, 4]
  return reshape(graph, transpose(graph, reshape(graph, full, parts), order), [outputs, ci!, kh!, kw!])
}

/** The filter of the gradient by the input: turned half a turn, inputs and outputs exchanged. */
const packTurned = (graph: Graph, w: string, [kh, kw, ci, co]: readonly number[], block: number): string => {
  const inputs = roundUp(ci!, block)
  const flip = (n: number) => ints(graph, [n, n])
  const turned =
    kh! * kw! === 1 ? w : graph.node('Slice', [w, flip(-1), flip(-(2 ** 31)), ints(graph, [0, 1]), flip(-1)])
  const full = inputs === ci ? turned : graph.node('Pad', [turned, ints(graph, [0, 0, 0, 0, 0, 0, inputs - ci!, 0])])
  const whole = co! % block === 0
  const parts = whole ? [kh!, kw!, inputs / block, block, co! / block, block] : [kh!, kw!, inputs / block, block, co!]
  const order = whole ? [2, 4, 0, 1, 5, 3] : [2, 4, 0, 1, 3]
  return reshape(graph, transpose(graph, reshape(graph, full, parts), order), [inputs, co!, kh!, kw!])
}

/** A result in the layout that it has: blocked, or channels first where its last block is filled up. */
export interface Made {
  readonly name: string
  readonly layout: 'blocked' | 'first'
}

const unfilled = (graph: Graph, y: string, channels: number, block: number): Made =>
  channels % block === 0
    ? { name: y, layout: 'blocked' }
    : { name: graph.node('ReorderOutput', [y], { domain: NCHWC, attrs: { channels } }), layout: 'first' }

const source = (names: Names, v: number, channels: number, block: number): string =>
  names.get(v, channels % block === 0 ? 'blocked' : 'first')

const padding = ({ pads: { top, left, bottom, right } }: Geometry): readonly number[] => [top, left, bottom, right]

/** A convolution or its gradient by the input, which {@link suits}. Extras want whole blocks of output channels. */
export const convolveBlocked = (graph: Graph, names: Names, call: Call, block: number, extras: Extras = {}): Made => {
  const { kernel, inputs, attrs } = call
  const [x, filter] = inputs as readonly [number, number]
  const shape = names.info(filter).shape
  const [kh, kw, ci, co] = shape as readonly [number, number, number, number]
  const w = names.get(filter, 'last')
  if (kernel === 'Conv2D') {
    const own = { kernel_shape: [kh, kw], pads: padding(geometry(names.info(x).shape, shape, attrs)) }
    const y = conv(graph, source(names, x, ci, block), pack(graph, w, shape, block), extras, own)
    return unfilled(graph, y, co, block)
  }
  const [top, left, bottom, right] = padding(geometry(attrs['inputShape'] as number[], shape, attrs)) as [
    number,
    number,
    number,
    number,
  ]
  const own = { kernel_shape: [kh, kw], pads: [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right] }
  const dx = conv(graph, source(names, x, co, block), packTurned(graph, w, shape, block), extras, own)
  return unfilled(graph, dx, ci, block)
}

/** Whether the gradient by the filter is one for these operators. */
export const suitsFilterGradient = (names: Names, { inputs, attrs }: Call, block: number): boolean => {
  const x = names.info(inputs[0]!).shape
  const filter = attrs['filterShape'] as readonly [number, number, number, number]
  const g = geometry(x, filter, attrs)
  // of a 1×1 filter it is one product of matrices, which the ordinary operators do better
  return isPlain(g) && x[0]! % block === 0 && filter[3] % block === 0 && filter[0] * filter[1] > 1
}

/**
 * `image` with its channels as the batch, blocked over the batch; `other`, blocked over its channels, as the filter:
 * for every channel of both and every offset, the sum of their products.
 */
const correlate = (
  graph: Graph,
  names: Names,
  image: number,
  other: number,
  { pads: [top, left, bottom, right], block }: { readonly pads: readonly number[]; readonly block: number },
  [kh, kw]: readonly [number, number],
): string => {
  const [n, , , ca] = names.info(image).shape as readonly [number, number, number, number]
  const [, h, w, cb] = names.info(other).shape as readonly [number, number, number, number]
  const x = names.once(image, `turned ${[top, left, bottom, right]}`, () => {
    const turned = transpose(graph, padded(graph, names, image, [top!, left!, bottom!, right!], block), [1, 0, 2, 3])
    return graph.node('ReorderInput', [turned], { domain: NCHWC })
  })
  // The filter is O/b×N/b×h×w×bₙ×bₒ: the channels as batch, blocked over N, then the channels of a block moved to the
  // end, as if all that is between were the positions of an image. Two threaded reorders; one transposition is slower.
  const filter = names.once(other, 'filter', () => {
    const byChannel = transpose(graph, names.get(other, 'first'), [1, 0, 2, 3])
    const overBatch = graph.node('ReorderInput', [byChannel], { domain: NCHWC })
    const columns = reshape(graph, overBatch, [cb / block, block, n * h, w])
    return reshape(graph, graph.node('ReorderInput', [columns], { domain: NCHWC }), [cb, n, h, w])
  })
  const y = conv(graph, x, filter, {}, { kernel_shape: [h, w], pads: [0, 0, 0, 0] })
  return reshape(graph, y, [ca, cb / block, kh * kw, block])
}

/** An image with a border of zeros, channels first. A depthwise convolution with ones is the fastest way to one. */
const padded = (graph: Graph, names: Names, v: number, pads: readonly number[], block: number): string => {
  if (pads.every((n) => n === 0)) return names.get(v, 'first')
  const channels = names.info(v).shape[3]!
  const [top, left, bottom, right] = pads as readonly [number, number, number, number]
  if (!names.has(v, 'blocked') || channels % block !== 0)
    return graph.node('Pad', [names.get(v, 'first'), ints(graph, [0, 0, top, left, 0, 0, bottom, right])])
  const ones = graph.constant(
    'float32',
    [channels, 1, 1, 1],
    Array.from({ length: channels }, () => 1),
  )
  const wide = conv(graph, names.get(v, 'blocked'), ones, {}, { group: channels, kernel_shape: [1, 1], pads })
  return graph.node('ReorderOutput', [wide], { domain: NCHWC, attrs: { channels } })
}

/** dW as h×w×I×O. */
export const filterGradientBlocked = (graph: Graph, names: Names, { inputs, attrs }: Call, block: number): string => {
  const [x, dy] = inputs as readonly [number, number]
  const filter = attrs['filterShape'] as readonly [number, number, number, number]
  const [kh, kw] = filter
  const pads = padding(geometry(names.info(x).shape, filter, attrs))
  const all = correlate(graph, names, x, dy, { pads, block }, [kh, kw])
  return reshape(graph, transpose(graph, all, [2, 0, 1, 3]), filter)
}

/** s ⊙ x + b + sum, by channel, for blocked images of shape N×H×W×C. */
export const scaleBlocked = (graph: Graph, x: string, s: string, channels: number, extras: Extras): string =>
  conv(graph, x, reshape(graph, s, [channels, 1, 1, 1]), extras, { group: channels, kernel_shape: [1, 1] })

/** Σ or mean over batch and positions of a blocked image. */
export const poolBlocked = (graph: Graph, x: string, [n, h, w, c]: readonly number[], mean: boolean): string => {
  const each = reshape(graph, graph.node('GlobalAveragePool', [x], { domain: NCHWC }), [n!, c!])
  const all = graph.node(mean ? 'ReduceMean' : 'ReduceSum', [each, ints(graph, [0])], { attrs: { keepdims: 0 } })
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
  const total = graph.node('ReduceSum', [reshape(graph, each, [n!, c!]), ints(graph, [0])], { attrs: { keepdims: 0 } })
  return mean ? graph.node('Mul', [total, graph.constant('float32', [], [1 / (n! * h! * w!)])]) : total
}
