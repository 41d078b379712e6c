/**
 * The scale of a normalisation moves into the filter and the bias before it:
 *
 *     s ⊙ (conv(x, w) + b) = conv(x, s ⊙ w) + s ⊙ b
 *
 * for a vector s over the channels of the result, where the convolution and its bias have no other use. So s does not
 * depend on them, as it does while a batch norm is trained. Where parameters are steady, the filter is computed once.
 *
 * @module
 */
import { type Call, isByChannel, type Program, soleMaker, type ValueInfo } from '../program/program.js'

/** The program with scales folded into filters. */
export const foldScales = (program: Program): Program => {
  const values: ValueInfo[] = [...program.values]
  const calls = new Map<number, Call>()
  const shape = (v: number): readonly number[] => values[v]!.shape
  const byChannel = (v: number, image: number): boolean => shape(v).length === 1 && isByChannel(shape(v), shape(image))
  const only = soleMaker(program, calls)
  const place = (call: Call): number => {
    calls.set(call.outputs[0]!, call)
    return call.outputs[0]!
  }
  const made = (kernel: string, inputs: readonly number[], like: number): number =>
    place({ kernel, inputs, attrs: {}, outputs: [values.push(values[like]!) - 1] })

  const folded = ({ kernel, inputs, outputs }: Call): Call | undefined => {
    if (kernel !== 'Multiply') return undefined
    for (const [y, s] of [inputs, [...inputs].reverse()] as [number, number][]) {
      if (shape(y).length !== 4 || !byChannel(s, y)) continue
      const sum = only(y, 'Add')
      const image = sum === undefined ? y : sum.inputs.find((v) => shape(v).length === 4)
      const bias = sum?.inputs.find((v) => v !== image)
      const conv = image === undefined ? undefined : only(image, 'Conv2D')
      if (conv === undefined || (sum !== undefined && (bias === undefined || !byChannel(bias, y)))) continue
      const [x, w] = conv.inputs as readonly [number, number]
      for (const call of [conv, sum]) if (call !== undefined) calls.delete(call.outputs[0]!)
      const filter = made('Multiply', [w, s], w)
      if (bias === undefined) return { ...conv, inputs: [x, filter], outputs }
      const scaled = place({ ...conv, inputs: [x, filter], outputs: [values.push(values[y]!) - 1] })
      return { kernel: 'Add', inputs: [scaled, made('Multiply', [bias, s], s)], attrs: {}, outputs }
    }
    return undefined
  }
  for (const call of program.calls) place(folded(call) ?? call)
  return { ...program, values, calls: [...calls.values()] }
}
