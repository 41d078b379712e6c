/**
 * Reductions as ONNX operators.
 *
 * @module
 */
import type { Call, CallOf } from '../../../compiler/call.js'
import type { Graph } from '../graph.js'
import { arranged, axisIn, imageLayout, type Names } from '../layout.js'
import { poolBlocked } from './blocked.js'
import { types } from './elementwise.js'
import { ints, LONG, longSum, reshape, weighted } from './nodes.js'

/** The operator of each reduction. */
const reductions = {
  Sum: 'ReduceSum',
  Mean: 'ReduceMean',
  Max: 'ReduceMax',
  Min: 'ReduceMin',
  All: 'ReduceMin',
  Any: 'ReduceMax',
} as const
type Reduction = keyof typeof reductions

export const isReduction = (call: Call): call is CallOf<Reduction> => call.kernel in reductions

/** A reduction, in the layout of its operand if what is left lies alike in both. */
export const lowerReduction = (
  graph: Graph,
  names: Names,
  { kernel, inputs, attrs, outputs }: CallOf<Reduction>,
): void => {
  const x = inputs[0]!
  const { shape } = names.info(x)
  const { axis: axes, keepDims: keep } = attrs
  const rest = shape.map((_, i) => i).filter((i) => !axes.includes(i))
  if (names.has(x, 'blocked') && !keep && axes.join() === '0,1,2' && (kernel === 'Sum' || kernel === 'Mean')) {
    names.set(outputs[0]!, 'last', poolBlocked(graph, names.get(x, 'blocked'), shape, kernel === 'Mean'))
    return
  }
  const native = imageLayout(names, inputs, shape.length)
  const alike = keep || !(rest.includes(3) && (rest.includes(1) || rest.includes(2)))
  const layout = alike ? native : 'last'
  const at = axes.map((axis) => (shape.length === 4 ? axisIn(axis, layout) : axis)).sort((a, b) => a - b)
  const lies = shape.length === 4 ? arranged(shape, layout) : shape
  const length = at.reduce((n, axis) => n * lies[axis]!, 1)
  const isSum = (kernel === 'Sum' || kernel === 'Mean') && names.info(x).dtype === 'float32' && !graph.isOpen(shape)
  if (isSum && length < LONG && shape.length === 2 && axes.join() === '0' && !keep) {
    names.set(outputs[0]!, 'last', weighted(graph, names.get(x, 'last'), length, kernel === 'Sum' ? 1 : 1 / length))
    return
  }
  if (isSum && length >= LONG) {
    const total = longSum(graph, names.get(x, layout), lies, at)
    const sum = kernel === 'Sum' ? total : graph.node('Mul', [total, graph.constant('float32', [], [1 / length])])
    const kept = lies.map((n, i) => (at.includes(i) ? 1 : n))
    names.set(outputs[0]!, keep && shape.length === 4 ? layout : 'last', keep ? reshape(graph, sum, kept) : sum)
    return
  }
  // the runtime reduces numbers alone
  const logical = kernel === 'All' || kernel === 'Any'
  const cast = (name: string, to: 'int32' | 'bool') =>
    logical ? graph.node('Cast', [name], { attrs: { to: types[to]! } }) : name
  const given = cast(names.get(x, layout), 'int32')
  const out =
    axes.length === 0
      ? graph.node('Identity', [given])
      : graph.node(reductions[kernel], [given, ints(graph, at)], { attrs: { keepdims: keep ? 1 : 0 } })
  names.set(outputs[0]!, keep && shape.length === 4 ? layout : 'last', cast(out, 'bool'))
}
