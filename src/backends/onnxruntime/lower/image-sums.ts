/**
 * The kernels that the pass `image-sums.ts` gathers, as ONNX operators: blocked where most of their terms are blocked.
 *
 * @module
 */

import type { CallOf } from '../../../compiler/call.js'
import { partsOf } from '../../../compiler/passes/image-sums.js'
import { sizeOf } from '../../../compiler/program.js'
import type { Graph } from '../graph.js'
import { axisIn, imageLayout, type Layout, type Names } from '../layout.js'
import { convolveBlocked, dotBlocked, type Extras, scaleBlocked, suits } from './blocked.js'
import { convolve, inputGradient } from './convolution.js'
import { ints, ones, reshape, sumOver } from './nodes.js'

/** The terms of an `ImageSum`, in whatever layout most of it has. */
export const lowerImageSum = (
  graph: Graph,
  names: Names,
  call: CallOf<'ImageSum'>,
  block: number | undefined,
): void => {
  const { terms, bias, convolution, relu } = partsOf(call)
  const out = call.outputs[0]!
  const channels = names.info(out).shape[3]!
  const blocked =
    block !== undefined &&
    (convolution === undefined ? terms.some(({ x }) => names.has(x, 'blocked')) : suits(names, convolution, block))
  if (!blocked) {
    const layout: Layout =
      convolution !== undefined || terms.some(({ x }) => names.has(x, 'first') || names.has(x, 'blocked'))
        ? 'first'
        : 'last'
    const convolved = (by?: string): readonly string[] =>
      convolution === undefined
        ? []
        : [
            convolution.kernel === 'Conv2D'
              ? convolve(graph, names, convolution, by)
              : inputGradient(graph, names, convolution, by),
          ]
    const taken = convolution !== undefined && bias !== undefined
    const parts = [
      ...convolved(taken ? vector(graph, names, bias, channels) : undefined),
      ...terms.map(({ x, s }) =>
        s === undefined ? names.get(x, layout) : graph.node('Mul', [names.get(x, layout), names.operand(s, layout)]),
      ),
      ...(bias === undefined || taken ? [] : [names.operand(bias, layout)]),
    ]
    const sum = parts.reduce((a, p) => graph.node('Add', [a, p]))
    names.set(out, layout, relu ? graph.node('Relu', [sum]) : sum)
    return
  }
  const get = (x: number) => names.get(x, 'blocked')
  const plain = terms.filter(({ s }) => s === undefined).map(({ x }) => get(x))
  // Each link takes the sum of what came before it; the last one takes bias and activation too.
  type Link = (extras: Extras) => string
  const links: Link[] = terms.flatMap(({ x, s }) =>
    s === undefined
      ? []
      : [(extras: Extras) => scaleBlocked(graph, get(x), vector(graph, names, s, channels), channels, extras)],
  )
  if (convolution !== undefined) links.push((extras) => convolveBlocked(graph, names, convolution, block, extras).name)
  if (links.length === 0 && bias !== undefined) {
    // a link of its own, because only a link takes a bias
    const [first] = plain.splice(0, 1)
    links.push((extras) => scaleBlocked(graph, first!, ones(graph, [channels]), channels, extras))
  }
  const added = plain.length === 0 ? undefined : plain.reduce((a, p) => graph.node('Add', [a, p]))
  if (links.length === 0) {
    names.set(out, 'blocked', relu ? graph.node('Relu', [added!]) : added!)
    return
  }
  const end = { relu, ...(bias === undefined ? {} : { bias: vector(graph, names, bias, channels) }) }
  const y = links.reduce<string | undefined>(
    (sum, link, i) => link({ ...(sum === undefined ? {} : { sum }), ...(i === links.length - 1 ? end : {}) }),
    added,
  )
  names.set(out, 'blocked', y!)
}

/** A value as a vector over channels. */
const vector = (graph: Graph, names: Names, v: number, channels: number): string => {
  const { shape } = names.info(v)
  const own = names.get(v, 'last')
  if (shape.length === 1 && shape[0] === channels) return own
  const flat = reshape(graph, own, [-1])
  return sizeOf(shape) === channels ? flat : graph.node('Expand', [flat, ints(graph, [channels])])
}

export const lowerDot = (graph: Graph, names: Names, { inputs, attrs, outputs }: CallOf<'ChannelDot'>): void => {
  const [a, b] = inputs as readonly [number, number]
  const { shape } = names.info(a)
  const { mean } = attrs
  if (names.has(a, 'blocked') || names.has(b, 'blocked')) {
    const [p, q] = [names.get(a, 'blocked'), names.get(b, 'blocked')]
    names.set(outputs[0]!, 'last', dotBlocked(graph, p, q, shape, mean))
    return
  }
  const layout = imageLayout(names, inputs, 4)
  const product = graph.node('Mul', [names.get(a, layout), names.get(b, layout)])
  const axes = [0, 1, 2].map((axis) => axisIn(axis, layout)).sort((p, q) => p - q)
  names.set(outputs[0]!, 'last', sumOver(graph, product, axes, mean))
}
