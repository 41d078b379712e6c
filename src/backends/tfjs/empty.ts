/**
 * Kernels of tensors without elements. The backends divide by their sizes, read uninitialised memory, or fail on a
 * plain list: such calls are answered from the shapes alone.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Attributes } from '../../compiler/call.js'
import { type Operation, operations, type Traced } from '../../compiler/operations.js'
import type { ProgramType, ValueInfo } from '../../compiler/program.js'

/** What a kernel of no elements makes where its result has some. */
const neutral: Readonly<Record<string, number>> = {
  Sum: 0,
  Mean: Number.NaN,
  Max: Number.NEGATIVE_INFINITY,
  Min: Number.POSITIVE_INFINITY,
  All: 1,
  Any: 0,
  BatchMatMul: 0,
  Conv2DBackpropFilter: 0,
}

const infoOf = ({ shape, dtype }: tf.TensorInfo): ValueInfo => ({ shape, dtype: dtype as ProgramType })
const isEmpty = ({ shape }: tf.TensorInfo): boolean => shape.includes(0)

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

const write = (backend: tf.KernelBackend, { shape, dtype }: ValueInfo, value: number): tf.TensorInfo => {
  const values = new arrays[dtype](tf.util.sizeFromShape([...shape])).fill(value)
  return { dataId: backend.write(values, [...shape], dtype), shape: [...shape], dtype }
}

/** The result of a call with an empty operand; nothing if it has elements that come from the others. */
const withoutElements = <K extends Traced>(
  kernelName: K,
  { inputs, attrs = {}, backend }: Parameters<tf.KernelFunc>[0],
): tf.TensorInfo | tf.TensorInfo[] | undefined => {
  // indexed by a type parameter, the table has the type of that entry
  const { inputs: names, normalise, infer } = operations[kernelName] as Operation<Attributes[K]>
  const operands = names === 'list' ? Object.values(inputs) : names.map((name) => inputs[name])
  const operandInfos = operands.map((operand) => infoOf(operand!))
  const infos = infer(operandInfos, normalise(attrs, operandInfos))
  const fill = neutral[kernelName]
  if (fill === undefined && !infos.every(({ shape }) => shape.includes(0))) return undefined
  const made = infos.map((info) => write(backend as tf.KernelBackend, info, fill ?? 0))
  return kernelName === 'SplitV' || kernelName === 'Unpack' ? made : made[0]!
}

const registered = new Set<string>()

/** Puts this before every kernel of a backend. Only the first call for a backend does anything. */
export const registerEmpty = (backendName: 'cpu' | 'wasm'): void => {
  if (registered.has(backendName)) return
  registered.add(backendName)
  for (const kernelName of Object.keys(operations) as readonly Traced[]) {
    const original: tf.KernelConfig | undefined = tf.getKernel(kernelName, backendName)
    if (original === undefined) continue
    tf.unregisterKernel(kernelName, backendName)
    tf.registerKernel({
      ...original,
      kernelFunc: (params) => {
        const hasEmpty = Object.values(params.inputs as tf.NamedTensorInfoMap).some(
          (t) => t !== undefined && isEmpty(t),
        )
        return (hasEmpty ? withoutElements(kernelName, params) : undefined) ?? original.kernelFunc(params)
      },
    })
  }
}
