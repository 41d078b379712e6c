/**
 * A program run call by call on the backend of TensorFlow.js that is chosen: what `jit` means on an engine that has no
 * translation of its own. Values are freed after their last use.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { operations, type Traced } from './operations.js'
import type { Call, Elements, Program, ValueInfo } from './program.js'

/** A program ready to run: from tensors to new tensors, the inputs left as they are. */
export type Runner = (inputs: readonly tf.Tensor[]) => Promise<readonly tf.Tensor[]>

/** A tensor of plain elements. */
export const fromElements = (data: Elements, { shape, dtype }: ValueInfo): tf.Tensor =>
  tf.tensor(data, [...shape], dtype)

const isTraced = (kernel: string): kernel is Traced => kernel in operations

/** Attributes by the names that TensorFlow.js has for them. */
const rawAttrs = (call: Call): tf.NamedAttrMap => {
  const raw = call.kernel === 'Max' ? { reductionIndices: call.attrs.axis, keepDims: call.attrs.keepDims } : call.attrs
  // TensorFlow.js types lists as mutable
  return raw as unknown as tf.NamedAttrMap
}

/** Runs one call. */
export const runCall = (call: Call, inputs: readonly tf.Tensor[]): readonly tf.Tensor[] => {
  const { kernel } = call
  if (!isTraced(kernel)) throw new Error(`evaluate: expected a kernel of TensorFlow.js, got ${kernel}`)
  const names = operations[kernel].inputs
  const operands = names === 'list' ? inputs : Object.fromEntries(names.map((name, i) => [name, inputs[i]!]))
  return [tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(kernel, operands as tf.NamedTensorMap, rawAttrs(call))].flat()
}

/** The values that nothing reads after a call, by the place of the call. */
const lastUses = ({ calls, outputs, inputs }: Program): readonly (readonly number[])[] => {
  const seen = new Set<number>([...outputs, ...inputs])
  const last: number[][] = calls.map(() => [])
  for (let i = calls.length - 1; i >= 0; i--)
    for (const v of [...calls[i]!.inputs, ...calls[i]!.outputs])
      if (!seen.has(v)) {
        seen.add(v)
        last[i]!.push(v)
      }
  return last
}

/** A program that TensorFlow.js runs call by call. */
export const runEagerly = (program: Program): Runner => {
  const { values, constants, calls, inputs, outputs } = program
  const last = lastUses(program)
  return async (given) =>
    tf.tidy(() => {
      const made = new Map<number, tf.Tensor>(inputs.map((v, i) => [v, given[i]!]))
      for (const [v, data] of constants) made.set(v, fromElements(data, values[v]!))
      calls.forEach((call, i) => {
        const answers = runCall(
          call,
          call.inputs.map((v) => made.get(v)!),
        )
        for (const [j, v] of call.outputs.entries()) made.set(v, answers[j]!)
        for (const v of last[i]!) made.get(v)!.dispose()
      })
      // an input or a constant may be an output: the caller's tensors are its own
      return outputs.map((v) => tf.clone(made.get(v)!))
    })
}

/** Runs `f` where what it makes can be read at once, which it cannot on WebGPU. */
export const readably = <A>(f: () => A): A => {
  const before = tf.getBackend()
  if (before !== 'webgpu') return f()
  try {
    // it returns a promise, but has set the backend by then
    tf.setBackend('cpu')
    return f()
  } finally {
    tf.setBackend(before)
  }
}
