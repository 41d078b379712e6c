/**
 * Programs as ONNX graphs. Layouts are chosen value by value, as `layout.ts` says; each kind of kernel has a file.
 *
 * @module
 */

import type { Call, Kernel } from '../../../compiler/call.js'
import { runPasses } from '../../../compiler/pipeline.js'
import { type Program, sizeOf } from '../../../compiler/program.js'
import { DiffeoException, engineError } from '../../../error.js'
import { type Graph, graph } from '../graph.js'
import { elementwiseLayout, endsInOne, imageLayout, type Layout, type Names, names } from '../layout.js'
import { passes } from '../pipeline.js'
import { convolveBlocked, filterGradientBlocked, suits, suitsFilterGradient } from './blocked.js'
import { convolve, filterGradient, inputGradient } from './convolution.js'
import { lowerDense } from './dense.js'
import { type Context, type Lowerings, pointwise } from './elementwise.js'
import { lowerDot, lowerImageSum } from './image-sums.js'
import { forms, moving } from './movement.js'
import { ints } from './nodes.js'
import { isReduction, lowerReduction } from './reduction.js'

/** The lowering of a kernel in a table, if it has one there. */
const lowerBy = <K extends Kernel>(table: Lowerings, kernel: K, context: Context<K>) => table[kernel]?.(context)

const lowerCall = (graph: Graph, names: Names, call: Call, block: number | undefined, portable: boolean): void => {
  const { kernel, inputs, outputs } = call
  const { shape } = names.info(outputs[0]!)
  const rank = shape.length
  const place = (results: string | readonly string[], layout: Layout): void => {
    for (const [i, name] of [results].flat().entries()) names.set(outputs[i]!, layout, name)
  }
  const constant = (shape: readonly number[]) => (value: number) => graph.constant('float32', shape, [value])
  const context = (layout: Layout): Context => {
    const operand = (i: number) => names.operand(inputs[i]!, layout)
    return { graph, names, call, operand, real: constant([]), layout, portable }
  }
  if (kernel in pointwise) {
    const layout = elementwiseLayout(names, inputs, rank)
    const usual = context(layout)
    const isNumber = (v: number) => sizeOf(names.info(v).shape) === 1
    const wide: Context = {
      ...usual,
      operand: (i) => (isNumber(inputs[i]!) ? names.wide(inputs[i]!, rank) : usual.operand(i)),
      real: constant(shape.map(() => 1)),
    }
    place(lowerBy(pointwise, kernel, endsInOne(shape, layout) ? wide : usual)!, layout)
  } else if (kernel in moving) {
    // the indices of a gather have no layout
    const layout = imageLayout(names, kernel === 'GatherV2' ? inputs.slice(0, 1) : inputs, rank)
    place(lowerBy(moving, kernel, context(layout))!, layout)
  } else if (kernel in forms) place(lowerBy(forms, kernel, context('last'))!, 'last')
  else if (kernel === 'Dense') lowerDense(graph, names, call)
  else if (kernel === 'ImageSum') lowerImageSum(graph, names, call, block)
  else if (kernel === 'ChannelDot') lowerDot(graph, names, call)
  else if (isReduction(call)) lowerReduction(graph, names, call)
  else if (kernel === 'Conv2D' || kernel === 'Conv2DBackpropInput') {
    if (block !== undefined && suits(names, call, block)) {
      const { name, layout } = convolveBlocked(graph, names, call, block)
      names.set(outputs[0]!, layout, name)
    } else place(kernel === 'Conv2D' ? convolve(graph, names, call) : inputGradient(graph, names, call), 'first')
  } else if (kernel === 'Conv2DBackpropFilter') {
    const isBlocked = block !== undefined && suitsFilterGradient(names, call, block)
    place(isBlocked ? filterGradientBlocked(graph, names, call, block) : filterGradient(graph, names, call), 'last')
  } else
    throw new DiffeoException(
      engineError('engine onnxruntime', 'operations that have a lowering', `'${kernel}'`, 'choose another engine'),
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
    /** Of a sampler: what the model makes of each input of the program; inputs without are inputs of the model. */
    readonly drawn?: readonly (Drawn | undefined)[]
  }
  /** The block of the runtime's own convolutions, if it has them; else ordinary operators. */
  readonly block?: number
}

/** What a sampler makes itself: standard normals, uniforms in [0, 1), or its input `temperature` for each example. */
export type Drawn = 'normal' | 'uniform' | 'temperature'

/** The two inputs of a sampler, and what it makes of them. The graph's batch is `n`. */
const sampler = (graph: Graph): ((drawn: Drawn, shape: readonly number[]) => string) => {
  const n = graph.input('n', 'int64', [])
  const temperature = graph.input('temperature', 'float32', [])
  graph.batchSize(graph.node('Reshape', [n, ints(graph, [-1])]))
  return (drawn, shape) => {
    if (drawn === 'temperature') return graph.node('Expand', [temperature, graph.shape(shape)])
    const zeros = graph.node('ConstantOfShape', [graph.shape(shape)])
    return graph.node(drawn === 'normal' ? 'RandomNormalLike' : 'RandomUniformLike', [zeros])
  }
}

/** A program as an ONNX graph. Inputs and outputs are channels last, as everything outside is. */
export const lowerProgram = (source: Program, { block, portable }: LowerOptions = {}): Graph => {
  const isPortable = portable !== undefined
  const pipeline = passes({ ...(block === undefined ? {} : { block }), portable: isPortable })
  const program = runPasses('onnxruntime', pipeline, source)
  const outside = new Set([...(portable?.inputs ?? []), ...(portable?.outputs ?? [])])
  const target = graph('program', portable?.batch, outside)
  const table = names(target, program.values, program.constants)
  const infos = program.inputs.map((v) => program.values[v]!)
  const make = portable?.drawn && sampler(target)
  const inputs = infos.map(({ dtype, shape }, i) => {
    const drawn = portable?.drawn?.[i]
    return drawn === undefined ? target.input(portable?.inputs[i] ?? inputName(i), dtype, shape) : make!(drawn, shape)
  })
  for (const [i, v] of program.inputs.entries()) table.set(v, 'last', inputs[i]!)
  for (const call of program.calls) lowerCall(target, table, call, block, isPortable)
  program.outputs.forEach((v, i) => {
    const { dtype, shape } = program.values[v]!
    target.output(portable?.outputs[i] ?? outputName(i), table.get(v, 'last'), dtype, shape)
  })
  return target
}
