/**
 * Dense layers as one call, which the runtime's product of matrices answers in one pass:
 *
 *     y = act(op(A)·op(B) + c),    op(X) = X or Xᵀ, act = identity or ReLU
 *
 * for matrices A and B and a vector c over the columns. A product is taken in where a sum with such a vector is its only
 * use, and the sum where a ReLU is its only use.
 *
 * @module
 */

import { type Call, isByChannel, type Program, soleMaker } from '../program.js'

/** The program with products, biases and activations gathered as calls of `Dense`. */
export const gatherDense = (program: Program): Program => {
  const shape = (v: number): readonly number[] => program.values[v]!.shape
  const calls = new Map<number, Call>()
  const only = soleMaker(program, calls)
  const fused = (call: Call): Call => {
    const { kernel, inputs, outputs } = call
    if (kernel === 'Relu') {
      const sum = only(inputs[0]!, 'Dense')
      if (sum === undefined || sum.attrs['relu'] === true) return call
      calls.delete(sum.outputs[0]!)
      return { ...sum, attrs: { ...sum.attrs, relu: true }, outputs }
    }
    if (kernel !== 'Add') return call
    for (const [product, bias] of [inputs, [...inputs].reverse()] as [number, number][]) {
      const maker = only(product, 'BatchMatMul')
      const vector = isByChannel(shape(bias), shape(outputs[0]!)) && shape(bias).length <= 2
      if (maker === undefined || !vector || shape(product).length !== 2) continue
      calls.delete(product)
      return { kernel: 'Dense', inputs: [...maker.inputs, bias], attrs: maker.attrs, outputs }
    }
    return call
  }
  for (const call of program.calls) {
    const own = fused(call)
    calls.set(own.outputs[0]!, own)
  }
  return { ...program, calls: [...calls.values()] }
}
