/**
 * Programs as ONNX graphs. Layouts are chosen value by value, as `layout.ts` says; each kind of kernel has a file.
 *
 * @module
 */

import { axesOf, convolutions } from '../../../compiler/operations.js'
import { runPasses } from '../../../compiler/pipeline.js'
import { type Call, type Program, sizeOf } from '../../../compiler/program.js'
import { DiffeoException, engineError } from '../../../error.js'
import { type Graph, graph } from '../graph.js'
import {
  arranged,
  axisIn,
  elementwiseLayout,
  endsInOne,
  imageLayout,
  type Layout,
  type Names,
  names,
} from '../layout.js'
import { passes } from '../pipeline.js'
import { convolveBlocked, filterGradientBlocked, poolBlocked, suits, suitsFilterGradient } from './blocked.js'
import { convolve, filterGradient, inputGradient } from './convolution.js'
import { translateDense } from './dense.js'
import { pointwise, types } from './elementwise.js'
import { translateDot, translateImageSum } from './image-sums.js'
import { forms, moving } from './movement.js'
import { ints, LONG, longSum, reshape, weighted } from './nodes.js'

const reductions: Readonly<Record<string, string>> = {
  Sum: 'ReduceSum',
  Mean: 'ReduceMean',
  Max: 'ReduceMax',
  Min: 'ReduceMin',
  All: 'ReduceMin',
  Any: 'ReduceMax',
}

/** A reduction; the layout it answers in is that of its operand, if what is left lies alike in both. */
const reduce = (graph: Graph, names: Names, { kernel, inputs, attrs, outputs }: Call): void => {
  const x = inputs[0]!
  const { shape } = names.info(x)
  const axes = axesOf(attrs[kernel === 'Max' ? 'reductionIndices' : 'axis'], shape.length)
  const keep = attrs['keepDims'] === true
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
      : graph.node(reductions[kernel]!, [given, ints(graph, at)], { attrs: { keepdims: keep ? 1 : 0 } })
  names.set(outputs[0]!, keep && shape.length === 4 ? layout : 'last', cast(out, 'bool'))
}

const translateCall = (graph: Graph, names: Names, call: Call, block: number | undefined, portable: boolean): void => {
  const { kernel, inputs, outputs } = call
  const { shape } = names.info(outputs[0]!)
  const rank = shape.length
  const real = (value: number) => graph.constant('float32', [], [value])
  const answer = (made: string | readonly string[], layout: Layout): void => {
    for (const [i, name] of [made].flat().entries()) names.set(outputs[i]!, layout, name)
  }
  const elementwise = pointwise[kernel]
  if (elementwise !== undefined) {
    const layout = elementwiseLayout(names, inputs, rank)
    const ends = endsInOne(shape, layout)
    const isNumber = (v: number) => sizeOf(names.info(v).shape) === 1
    const operand = (i: number) =>
      ends && isNumber(inputs[i]!) ? names.wide(inputs[i]!, rank) : names.operand(inputs[i]!, layout)
    const wide = (value: number) =>
      graph.constant(
        'float32',
        shape.map(() => 1),
        [value],
      )
    answer(elementwise({ graph, names, call, operand, real: ends ? wide : real, layout, portable }), layout)
    return
  }
  const mover = moving[kernel]
  if (mover !== undefined) {
    // what says where to look has no layout
    const layout = imageLayout(names, kernel === 'GatherV2' ? inputs.slice(0, 1) : inputs, rank)
    answer(
      mover({ graph, names, call, operand: (i) => names.operand(inputs[i]!, layout), real, layout, portable }),
      layout,
    )
    return
  }
  const form = forms[kernel]
  if (form !== undefined) {
    answer(
      form({ graph, names, call, operand: (i) => names.get(inputs[i]!, 'last'), real, layout: 'last', portable }),
      'last',
    )
    return
  }
  if (kernel === 'Dense') translateDense(graph, names, call)
  else if (kernel === 'ImageSum') translateImageSum(graph, names, call, block)
  else if (kernel === 'ChannelDot') translateDot(graph, names, call)
  else if (kernel in reductions) reduce(graph, names, call)
  else if (block !== undefined && convolutions.has(kernel) && suits(names, call, block)) {
    const { name, layout } = convolveBlocked(graph, names, call, block)
    names.set(outputs[0]!, layout, name)
  } else if (block !== undefined && kernel === 'Conv2DBackpropFilter' && suitsFilterGradient(names, call, block))
    answer(filterGradientBlocked(graph, names, call, block), 'last')
  else if (kernel === 'Conv2D') answer(convolve(graph, names, call), 'first')
  else if (kernel === 'Conv2DBackpropInput') answer(inputGradient(graph, names, call), 'first')
  else if (kernel === 'Conv2DBackpropFilter') answer(filterGradient(graph, names, call), 'last')
  else
    throw new DiffeoException(
      engineError('engine onnxruntime', 'operations that have a translation', `'${kernel}'`, 'choose another engine'),
    )
}

export const inputName = (i: number): string => `in${i}`
export const outputName = (i: number): string => `out${i}`

export interface LowerOptions {
  /** Operators of ONNX alone, and a batch that is left open: the size that stands for it, and the names outside. */
  readonly portable?: {
    readonly batch: number
    readonly inputs: readonly string[]
    readonly outputs: readonly string[]
    /** Whether the program's inputs are drawn in the model. */
    readonly drawn?: boolean
  }
  /** The block of the runtime's own convolutions, if it has them; else ordinary operators. */
  readonly block?: number
}

/**
 * Inputs that the model draws itself: standard normals times its input `temperature`, as many examples as its input `n`
 * says. The graph's batch is `n` then.
 */
const drawNormals = (graph: Graph, shapes: readonly (readonly number[])[]): readonly string[] => {
  const n = graph.input('n', 'int64', [])
  const temperature = graph.input('temperature', 'float32', [])
  graph.batchSize(graph.node('Reshape', [n, ints(graph, [-1])]))
  return shapes.map((shape) => {
    const zeros = graph.node('ConstantOfShape', [graph.shape(shape)])
    return graph.node('Mul', [graph.node('RandomNormalLike', [zeros]), temperature])
  })
}

/** A program as an ONNX graph. Inputs and outputs are channels last, as everything outside is. */
export const lowerProgram = (source: Program, { block, portable }: LowerOptions = {}): Graph => {
  const isPortable = portable !== undefined
  const pipeline = passes({ ...(block === undefined ? {} : { block }), portable: isPortable })
  const program = runPasses('onnxruntime', pipeline, source)
  const own = graph('program', portable?.batch)
  const table = names(own, program.values, program.constants)
  const infos = program.inputs.map((v) => program.values[v]!)
  const given = portable?.drawn
    ? drawNormals(
        own,
        infos.map(({ shape }) => shape),
      )
    : infos.map(({ dtype, shape }, i) => own.input(portable?.inputs[i] ?? inputName(i), dtype, shape))
  for (const [i, v] of program.inputs.entries()) table.set(v, 'last', given[i]!)
  for (const call of program.calls) translateCall(own, table, call, block, isPortable)
  program.outputs.forEach((v, i) => {
    const { dtype, shape } = program.values[v]!
    own.output(portable?.outputs[i] ?? outputName(i), table.get(v, 'last'), dtype, shape)
  })
  return own
}
