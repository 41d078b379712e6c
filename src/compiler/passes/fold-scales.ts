/**
 * The scale of a normalisation moves into the filter and the bias before it:
 *
 *     s ⊙ (conv(x, w) + b) = conv(x, s ⊙ w) + s ⊙ b
 *
 * for a vector s over the channels of the result, where the convolution and its bias have no other use. So s does not
 * depend on them, as it does while a batch norm is trained. Where parameters are steady, the filter is computed once.
 * Two biases in a row, which this leaves, are one:
 *
 *     (conv(x, w) + b) + c = conv(x, w) + (b + c)
 *
 * @module
 */
import { type Call, isByChannel, type Program, soleMaker, type ValueInfo } from '../program.js'

/** The program with scales folded into filters, and biases into one another. */
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

  /** The image and the vector over its channels that a sum or a product of two is made of. */
  const apart = ({ inputs }: Call): readonly [image: number, vector: number] | undefined => {
    const [a, b] = inputs as readonly [number, number]
    const sides: readonly (readonly [number, number])[] = [
      [a, b],
      [b, a],
    ]
    return sides.find(([y, s]) => shape(y).length === 4 && byChannel(s, y))
  }
  /** The sum of an image and a bias that nothing else reads. */
  const biased = (y: number) => {
    const sum = only(y, 'Add')
    const sides = sum === undefined ? undefined : apart(sum)
    return sides === undefined ? undefined : { sum: sum!, image: sides[0], bias: sides[1] }
  }

  const scaled = (call: Call, y: number, s: number): Call | undefined => {
    const before = biased(y)
    const conv = only(before?.image ?? y, 'Conv2D')
    if (conv === undefined) return undefined
    const [x, w] = conv.inputs as readonly [number, number]
    calls.delete(conv.outputs[0]!)
    const filter = made('Multiply', [w, s], w)
    if (before === undefined) return { ...conv, inputs: [x, filter], outputs: call.outputs }
    calls.delete(before.sum.outputs[0]!)
    const image = place({ ...conv, inputs: [x, filter], outputs: [values.push(values[y]!) - 1] })
    return { ...call, kernel: 'Add', inputs: [image, made('Multiply', [before.bias, s], s)] }
  }
  const shifted = (call: Call, y: number, c: number): Call | undefined => {
    const before = biased(y)
    if (before === undefined || calls.get(before.image)?.kernel !== 'Conv2D') return undefined
    calls.delete(before.sum.outputs[0]!)
    return { ...call, inputs: [before.image, made('Add', [before.bias, c], c)] }
  }
  const rules: Readonly<Record<string, typeof scaled>> = { Multiply: scaled, Add: shifted }
  const folded = (call: Call): Call => {
    const rule = rules[call.kernel]
    const sides = rule === undefined ? undefined : apart(call)
    return (sides && rule!(call, ...sides)) ?? call
  }
  for (const call of program.calls) place(folded(call))
  return { ...program, values, calls: [...calls.values()] }
}
