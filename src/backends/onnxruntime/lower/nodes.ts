/**
 * Nodes that every part of a translation makes: shapes, orders, and axes turned round.
 *
 * @module
 */
import type { Graph } from '../graph.js'

/** A vector of integers, as shapes and axes are given. */
export const ints = (graph: Graph, values: readonly number[]): string => graph.shape(values)

export const reshape = (graph: Graph, x: string, shape: readonly number[]): string => {
  const open = shape.filter((size) => graph.isOpen([size]))
  // a reshape finds the one size that is left open
  const sizes = open.length === 1 ? shape.map((size) => (size === open[0] ? -1 : size)) : shape
  return graph.node('Reshape', [x, ints(graph, sizes)])
}

export const transpose = (graph: Graph, x: string, perm: readonly number[]): string =>
  graph.node('Transpose', [x], { attrs: { perm } })

/** Zeros around a value: how many before each axis, then how many after each; negative ones cut. */
export const pad = (graph: Graph, x: string, pads: readonly number[]): string =>
  graph.node('Pad', [x, ints(graph, pads)])

/** Some axes backwards. */
export const backwards = (graph: Graph, x: string, axes: readonly number[]): string => {
  const all = (n: number) =>
    ints(
      graph,
      axes.map(() => n),
    )
  return axes.length === 0 ? x : graph.node('Slice', [x, all(-1), all(-(2 ** 31)), ints(graph, axes), all(-1)])
}

/** The sum over some axes, which vanish. */
export const sumOver = (graph: Graph, x: string, axes: readonly number[], mean = false): string =>
  graph.node(mean ? 'ReduceMean' : 'ReduceSum', [x, ints(graph, axes)], { attrs: { keepdims: 0 } })

/**
 * The sum over the first axis of a matrix, times a weight. On two threads the runtime's own takes up to ten times as long as
 * a product with ones.
 */
export const weighted = (graph: Graph, x: string, rows: number, weight: number): string =>
  graph.node('MatMul', [graph.constant('float32', [rows], new Float32Array(rows).fill(weight)), x])

/** The sum over the first axis of a matrix of this shape. */
export const sumFirst = (graph: Graph, x: string, [rows, columns]: readonly [number, number]): string =>
  weighted(graph, reshape(graph, x, [rows, columns]), rows, 1)

/** Sums from this length on are taken in stages. */
export const LONG = 2048

/**
 * The sum over some axes, in ascending order, which vanish. The runtime adds up one number after another, and the error
 * grows with their count. So the axes behind are summed first, and the leading ones, of n numbers, as about √n sums of √n.
 */
export const longSum = (graph: Graph, x: string, shape: readonly number[], axes: readonly number[]): string => {
  const lead = axes.filter((axis, i) => axis === i)
  const behind = axes.slice(lead.length)
  const inner = behind.length === 0 ? x : sumOver(graph, x, behind)
  const rest = shape.filter((_, i) => !axes.includes(i))
  const length = lead.reduce((n, axis) => n * shape[axis]!, 1)
  if (length < LONG) return lead.length === 0 ? inner : sumOver(graph, inner, lead)
  const root = Math.floor(Math.sqrt(length))
  const twice = (part: string, rows: number, columns: number) =>
    sumOver(graph, sumOver(graph, reshape(graph, part, [rows, columns, ...rest]), [1]), [0])
  const near = Array.from({ length: root >> 1 }, (_, i) => root - i).find((n) => length % n === 0)
  if (near !== undefined) return twice(inner, near, length / near)
  // no divisor is near the root: what is left over is a sum of its own
  const flat = reshape(graph, inner, [length, ...rest])
  const columns = Math.floor(length / root)
  const cut = (from: number, to: number) =>
    graph.node('Slice', [flat, ints(graph, [from]), ints(graph, [to]), ints(graph, [0])])
  const left = sumOver(graph, cut(root * columns, length), [0])
  return graph.node('Add', [twice(cut(0, root * columns), root, columns), left])
}

/** A vector of ones. */
export const ones = (graph: Graph, shape: readonly number[]): string =>
  graph.constant(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1),
  )
