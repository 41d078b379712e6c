/**
 * Programs as graphs of TensorFlow: what goes in, what each call becomes, what comes out or stays.
 *
 * @module
 */

import type { Call, Kernel } from '../../../compiler/call.js'
import { runPasses } from '../../../compiler/pipeline.js'
import type { Program, ProgramType, ValueInfo } from '../../../compiler/program.js'
import { DiffeoException, engineError } from '../../../error.js'
import type { Precision } from '../../options.js'
import { dtype, type GraphDef, graphDef, type Half, shaped, type Width } from '../graph.js'
import { passes } from '../pipeline.js'
import { lowerCall } from './kernels.js'

export const inputName = (i: number): string => `in${i}`
export const outputName = (i: number): string => `out${i}`
/** Which inputs and outputs of a program stay in the session: what goes in and out is the name of each there. */
export interface Kept {
  readonly inputs: ReadonlySet<number>
  readonly outputs: ReadonlySet<number>
}

const FLOAT = { dtype: dtype('float32') }

/** What the session keeps under a name, which does not say its shape. */
const keptInput = (name: string, _: ProgramType, shape: readonly number[], graph: GraphDef): string => {
  const value = graph.node('GetSessionTensor', [graph.input(name, 'string', [])], { attrs: FLOAT })
  return graph.node('EnsureShape', [value], { attrs: { T: dtype('float32'), shape: shaped(shape) } })
}

/** Nodes that read what is kept, keep more, and drop it. */
export const ACCESS = { name: 'name', value: 'value', read: 'read', keep: 'keep', drop: 'drop' } as const

const addAccess = (graph: GraphDef): void => {
  const [name, value] = [graph.input(ACCESS.name, 'string', []), graph.input(ACCESS.value, 'float32')]
  graph.node('GetSessionTensor', [name], { name: ACCESS.read, attrs: FLOAT })
  graph.node('GetSessionHandle', [value], { name: ACCESS.keep, attrs: { T: dtype('float32') } })
  graph.node('DeleteSessionTensor', [name], { name: ACCESS.drop })
}

/** Where and how a graph computes. */
interface GraphOptions {
  /** As `/device:CPU:0`. Default: where TensorFlow puts it. */
  readonly device?: string | undefined
  /** What convolutions and products of matrices are computed in. Default float32 */
  readonly precision?: Precision | undefined
  /** The number that its collectives have on all workers. Default 0 */
  readonly group?: number
  /** Default: nothing */
  readonly kept?: Kept
}

export const NOTHING: Kept = { inputs: new Set(), outputs: new Set() }

const halfOf: Readonly<Record<Precision, Half | undefined>> = { float32: undefined, bf16: 'bfloat16', fp16: 'float16' }

const refuse = ({ kernel }: Call): never => {
  throw new DiffeoException(
    engineError('engine tensorflow', 'operations that have a lowering', `'${kernel}'`, 'choose another engine'),
  )
}

/** What halves are for. */
const lowered = new Set<Kernel>(['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'BatchMatMul'])
/**
 * What is done in halves between these, if all but its vectors are in them already: the inside of a net. The rest stays
 * float32.
 */
const between = new Set<Kernel>([
  ...(['BiasAdd', 'BiasAddGrad', 'AddN', 'Relu', 'ReluGrad', 'BatchNorm', 'BatchNormGrad', 'ScaleShift'] as const),
])
/** Kernels that take images as float16 and return one, with vectors in float32. */
const mixed = new Set<Kernel>(['BatchNorm', 'BatchNormGrad', 'ScaleShift'])

/**
 * A program as a graph: placeholders `in0`, `in1`, … and results `out0`, `out1`, … Of those that are kept, what goes in
 * and comes out is the name under which the session has them.
 */
export const lowerProgram = (
  program: Program,
  { device, precision = 'float32', kept = NOTHING, group = 0 }: GraphOptions = {},
): Uint8Array => {
  const { values, inputs, constants, calls, outputs } = runPasses('tensorflow', passes, program)
  const graph = graphDef(device)
  const narrow = halfOf[precision]
  const wholes = new Map<number, string>()
  const halves = new Map<number, string>()
  const cast = (name: string, from: Width, to: Width): string =>
    graph.node('Cast', [name], { attrs: { SrcT: dtype(from), DstT: dtype(to) } })
  const whole = (v: number): string => {
    const name = wholes.get(v) ?? cast(halves.get(v)!, narrow!, 'float32')
    wholes.set(v, name)
    return name
  }
  const half = (v: number): string => {
    const name = halves.get(v) ?? cast(wholes.get(v)!, 'float32', narrow!)
    halves.set(v, name)
    return name
  }
  for (const [i, v] of inputs.entries()) {
    const own = kept.inputs.has(i) ? keptInput : graph.input
    wholes.set(v, own(inputName(i), values[v]!.dtype, values[v]!.shape, graph))
  }
  for (const [v, data] of constants) wholes.set(v, graph.constant(values[v]!.dtype, values[v]!.shape, data))
  for (const call of calls) {
    const isVector = (v: number): boolean => values[v]!.shape.length < 2
    const large = call.inputs.filter((v) => !isVector(v))
    const isBetween = between.has(call.kernel) && large.length > 0 && large.every((v) => halves.has(v))
    const isHalf = narrow !== undefined && (lowered.has(call.kernel) || isBetween)
    const isMixed = mixed.has(call.kernel)
    const widthOf = (v: number) => (isHalf && (!isMixed || !isVector(v)) ? half : whole)
    const all = call.inputs.map((v) => widthOf(v)(v))
    const info = (i: number): ValueInfo => values[call.inputs[i]!]!
    const type = isHalf ? narrow : info(0)?.dtype
    const out = values[call.outputs[0]!]!
    const name = lowerCall(call.kernel, { graph, call, x: (i) => all[i]!, all, info, type, out, group }) ?? refuse(call)
    for (const [i, v] of call.outputs.entries())
      (widthOf(v) === half ? halves : wholes).set(v, i === 0 ? name : `${name}:${i}`)
  }
  for (const [i, v] of outputs.entries()) {
    const operation = kept.outputs.has(i) ? 'GetSessionHandle' : 'Identity'
    graph.node(operation, [whole(v)], { name: outputName(i), attrs: { T: dtype(values[v]!.dtype) } })
  }
  if (kept.inputs.size + kept.outputs.size > 0) addAccess(graph)
  return graph.encode()
}
