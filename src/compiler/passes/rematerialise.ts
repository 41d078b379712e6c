/**
 * Normalised images are made again for the backward pass instead of kept: one pass over memory each, where a convolution
 * beside it takes some fifty times that, and half of what a net keeps.
 *
 *     y = act(s ⊙ x + b) is made anew, from an x that is there anyhow, for uses far behind the first ones
 *
 * @module
 */
import type { Call, Program, ValueInfo } from '../program.js'
import { affineOf } from './image-sums.js'

/** A use this many calls after a value was made is far. */
const FAR = 100

const isNormal = (call: Call): boolean => {
  if (call.kernel !== 'Affine') return false
  const { terms, conv } = affineOf(call)
  return conv === undefined && terms.length === 1
}

const imageOf = (call: Call): number => call.inputs[affineOf(call).terms[0]!.x]!

/** The program with far uses of normalised images served by a second making. */
export const recompute = (program: Program): Program => {
  const values: ValueInfo[] = [...program.values]
  const last = new Map<number, number>(program.calls.flatMap(({ inputs }, i) => inputs.map((v) => [v, i] as const)))
  const made = new Map<number, readonly [at: number, call: Call]>()
  const again = new Map<number, number>()
  const calls: Call[] = []
  for (const [i, call] of program.calls.entries()) {
    const inputs = call.inputs.map((v) => {
      const [at, maker] = made.get(v) ?? [i]
      if (maker === undefined || i - at <= FAR || last.get(imageOf(maker))! < i) return v
      const known = again.get(v)
      if (known !== undefined) return known
      const w = values.push(values[v]!) - 1
      calls.push({ ...maker, outputs: [w] })
      again.set(v, w)
      return w
    })
    calls.push({ ...call, inputs })
    if (isNormal(call)) made.set(call.outputs[0]!, [i, call])
  }
  return { ...program, values, calls }
}
