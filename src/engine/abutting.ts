/**
 * A rule for `passes.ts`. Along one axis, zeros behind a as long as b, and zeros before b as long as a:
 *
 *     [a, 0] + [0, b] = [a, b]
 *
 * The gradients of slices are full of such sums.
 *
 * @module
 */
import type { Call } from './program.js'
import type { Rule } from './rules.js'

export const abutting: Rule = ({ values, makers, add }, { kernel, inputs, outputs }) => {
  const pads = inputs.map((v) => makers.get(v))
  if (kernel !== 'Add' || pads.some((m) => m?.kernel !== 'PadV2' || (m.attrs['constantValue'] ?? 0) !== 0))
    return undefined
  const info = values[outputs[0]!]!
  // a sum may repeat what is of size 1
  if (inputs.some((v) => values[v]!.shape.join() !== info.shape.join())) return undefined
  for (const [first, second] of [pads, [...pads].reverse()] as [Call, Call][]) {
    const [a, b] = [first.inputs[0]!, second.inputs[0]!]
    const axis = info.shape.findIndex((n, i) => n !== values[a]!.shape[i])
    const length = (v: number): number => values[v]!.shape[axis]!
    const only = ({ attrs }: Call, own: readonly number[]): boolean =>
      `${attrs['paddings']}` === `${info.shape.map((_, i) => (i === axis ? own : [0, 0]))}`
    if (only(first, [0, length(b)]) && only(second, [length(a), 0])) return add('Concat', [a, b], { axis }, info)
  }
  return undefined
}
