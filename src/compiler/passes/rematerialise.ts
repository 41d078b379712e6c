/**
 * Rematerialises normalised images for the backward pass instead of keeping them. That costs one pass over memory each,
 * where a convolution beside it takes some fifty times that, and halves what a net keeps.
 *
 *     y = act(s ⊙ x + b) is computed again, from an x that is there anyhow, for uses far behind the first ones
 *
 * No list of rules: what decides is how far apart calls stand.
 *
 * @module
 */
import { type CallOf, isCall } from '../call.js'
import type { Program } from '../program.js'
import { rebuild } from '../rebuild.js'
import { partsOf } from './image-sums.js'

/** A use this many calls after a value was made is far. */
const FAR = 100

/** The image that a call normalises, if that is all it does. */
const normalisedBy = (call: CallOf<'ImageSum'>): number | undefined => {
  const { terms, convolution } = partsOf(call)
  return convolution === undefined && terms.length === 1 ? terms[0]!.x : undefined
}

/** The program with far uses of normalised images served by a second computation. */
export const rematerialise = (program: Program): Program => {
  const lastUse = new Array<number>(program.values.length)
  for (const [i, { inputs }] of program.calls.entries()) for (const v of inputs) lastUse[v] = i
  const norms = new Map<number, { readonly at: number; readonly x: number; readonly call: CallOf<'ImageSum'> }>()
  const copies = new Map<number, number>()
  let at = -1
  return rebuild(program, (call, { place, emit, info }) => {
    at += 1
    const inputs = call.inputs.map((v) => {
      const norm = norms.get(v)
      if (norm === undefined || at - norm.at <= FAR || lastUse[norm.x]! < at) return v
      const { kernel, inputs, attrs } = norm.call
      const copy = copies.get(v) ?? emit(kernel, inputs, info(v), attrs)
      copies.set(v, copy)
      return copy
    })
    place(copies.size === 0 ? call : { ...call, inputs })
    if (!isCall(call, 'ImageSum')) return
    const x = normalisedBy(call)
    if (x !== undefined) norms.set(call.outputs[0]!, { at, x, call })
  })
}
