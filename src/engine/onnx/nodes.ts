/**
 * Nodes that every part of a translation makes: shapes, orders, and axes turned round.
 *
 * @module
 */
import type { Graph } from './model.js'

/** A vector of integers, as shapes and axes are given. */
export const ints = (graph: Graph, values: readonly number[]): string =>
  graph.constant('int64', [values.length], values)

export const reshape = (graph: Graph, x: string, shape: readonly number[]): string =>
  graph.node('Reshape', [x, ints(graph, shape)])

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

/** A vector of ones. */
export const ones = (graph: Graph, shape: readonly number[]): string =>
  graph.constant(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1),
  )
