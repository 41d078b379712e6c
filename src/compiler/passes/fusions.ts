/**
 * What TensorFlow has one operation for, and TensorFlow.js several.
 *
 * - a bias: x + b over the last axis of an image or a matrix is a `BiasAdd`, which a convolution or a product before it
 *   takes along
 * - the gradient of a ReLU: dy · step(x) is a `ReluGrad`
 * - x ⊙ a + b with vectors over the channels of an image is a batch norm of mean 0 and variance 1
 * - a + b + c + … is an `AddN`, if nothing else reads the sums between
 * - a sum of an image by channel, or of a matrix by column, which is the gradient of a bias, is a `BiasAddGrad`
 * - batch norms in training, and their gradients: `norms.ts`
 *
 * The pass brings in kernels that TensorFlow.js does not have, so only `translate.ts` knows them.
 *
 * @module
 */

import { axesOf } from '../operations.js'
import { type Call, isByChannel, type Program, soleMaker, type ValueInfo } from '../program.js'
import { fuseNorms } from './batch-norm.js'
import { foldScales } from './fold-scales.js'

/** The program with these operations. */
export const fuse = (given: Program): Program => {
  const program = fuseNorms(foldScales(given))
  const values: ValueInfo[] = [...program.values]
  const makers = new Map<number, Call>()
  const calls: Call[] = []
  const shape = (v: number): readonly number[] => values[v]!.shape
  const isLarge = (v: number): boolean => [2, 4].includes(shape(v).length) && values[v]!.dtype === 'float32'
  const alike = (a: number, b: number): boolean => shape(a).join() === shape(b).join()
  const byChannel = (v: number, x: number): boolean => isByChannel(shape(v), shape(x))
  const only = soleMaker(program, makers)
  const vector = (v: number): number => {
    if (shape(v).length === 1) return v
    const flat = values.push({ shape: [shape(v).at(-1)!], dtype: 'float32' }) - 1
    place({ kernel: 'Reshape', inputs: [v], attrs: { shape: [...shape(flat)] }, outputs: [flat] })
    return flat
  }
  const place = (call: Call): void => {
    for (const v of call.outputs) makers.set(v, call)
    calls.push(call)
  }

  /** An image or a matrix of the same shape as the result, and what is applied to it. */
  const sides = ({ inputs: [a, b], outputs: [out] }: Call): readonly (readonly [x: number, other: number])[] =>
    a === undefined || b === undefined || !isLarge(out!)
      ? []
      : (
          [
            [a, b],
            [b, a],
          ] as const
        ).filter(([x]) => alike(x, out!))

  const fused = (call: Call): Call => {
    if (call.kernel === 'Multiply')
      for (const [dy, s] of sides(call)) {
        const step = makers.get(s)
        if (step?.kernel === 'Step' && !step.attrs['alpha'] && alike(dy, s))
          return { ...call, kernel: 'ReluGrad', inputs: [dy, step.inputs[0]!] }
      }
    if (call.kernel === 'Sum' && isLarge(call.inputs[0]!) && call.attrs['keepDims'] !== true) {
      const from = shape(call.inputs[0]!)
      const byLast = axesOf(call.attrs['axis'], from.length).join() === [...from.slice(0, -1).keys()].join()
      return byLast ? { ...call, kernel: 'BiasAddGrad', attrs: {} } : call
    }
    if (call.kernel !== 'Add') return call
    for (const [x, b] of sides(call)) {
      if (!byChannel(b, x)) continue
      const product = shape(x).length === 4 ? only(x, 'Multiply') : undefined
      for (const [y, a] of product === undefined ? [] : sides(product))
        if (byChannel(a, y)) return { ...call, kernel: 'ScaleShift', inputs: [y, vector(a), vector(b)] }
      return { ...call, kernel: 'BiasAdd', inputs: [x, vector(b)] }
    }
    const [a, b] = call.inputs as readonly [number, number]
    const terms = [a, b].flatMap((v) => only(v, 'AddN')?.inputs ?? [v])
    return alike(a, b) && isLarge(a) ? { ...call, kernel: 'AddN', inputs: terms } : call
  }
  for (const call of program.calls) place(fused(call))
  return { ...program, values, calls }
}
