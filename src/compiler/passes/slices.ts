/**
 * Rules for `passes.ts` of what is cut in pieces and put together again, as couplings do, and the gradients of slices.
 *
 * @module
 */

import { axesOf, sliceOf } from '../operations.js'
import type { Call } from '../program.js'
import { type Rule, same, shapeOf, type Walk } from '../rewrite.js'

/** What lies at a place along the axis of a `Concat`, if that is within one of its parts. */
const within = (
  walk: Walk,
  whole: Call | undefined,
  axis: number,
  begin: readonly number[],
  size: readonly number[],
): number | undefined => {
  let from = begin[axis]!
  for (const part of whole?.inputs ?? []) {
    const { shape, dtype } = walk.values[part]!
    const length = shape[axis]!
    if (from >= length) from -= length
    else if (from + size[axis]! > length) return undefined
    else return walk.add('Slice', [part], { begin: begin.with(axis, from), size: [...size] }, { shape: size, dtype })
  }
  return undefined
}

const joint = (walk: Walk, v: number | undefined): { readonly whole: Call; readonly axis: number } | undefined => {
  const whole = walk.makers.get(v ?? -1)
  if (whole?.kernel !== 'Concat') return undefined
  return { whole, axis: axesOf(whole.attrs['axis'], shapeOf(walk, v!).length)[0]! }
}

/** A piece of what was put together, where it lies in one of the parts. */
export const cut: Rule = (walk, { kernel, inputs: [x], attrs }) => {
  const made = kernel === 'Slice' ? joint(walk, x) : undefined
  return made && within(walk, made.whole, made.axis, ...sliceOf(walk.values[x!]!, attrs))
}

/** All pieces of what was put together, where each lies in one of the parts. */
export const parted: Rule = (walk, { kernel, inputs: [x], attrs, outputs }) => {
  const made = kernel === 'SplitV' ? joint(walk, x) : undefined
  if (made === undefined || axesOf(attrs['axis'], shapeOf(walk, x!).length)[0] !== made.axis) return undefined
  const { whole, axis } = made
  const begin = shapeOf(walk, x!).map(() => 0)
  let from = 0
  const pieces = outputs.map((v) => {
    const size = shapeOf(walk, v)
    const piece = within(walk, whole, axis, begin.with(axis, from), size)
    from += size[axis]!
    return piece
  })
  return pieces.every((piece) => piece !== undefined) ? pieces : undefined
}

/** Neighbouring pieces of one vector, put together again: the vector itself, or a slice of it. */
export const reunited: Rule = (walk, { kernel, inputs, outputs }) => {
  const info = walk.values[outputs[0]!]!
  if (kernel !== 'Concat' || info.shape.length !== 1) return undefined
  type Run = { readonly split: Call; readonly first: number; readonly last: number; readonly own: readonly number[] }
  const runs: Run[] = []
  for (const v of inputs) {
    const split = walk.makers.get(v)
    const at = split?.kernel === 'SplitV' && shapeOf(walk, v).length === 1 ? split.outputs.indexOf(v) : -1
    const open = runs.at(-1)
    if (split !== undefined && at >= 0 && open?.split === split && open.last === at - 1)
      runs[runs.length - 1] = { ...open, last: at, own: [...open.own, v] }
    else runs.push({ split: split!, first: at, last: at, own: [v] })
  }
  if (runs.length === inputs.length) return undefined
  const parts = runs.map(({ split, first, last, own }) => {
    if (own.length === 1) return own[0]!
    const [whole] = split.inputs as readonly [number]
    if (first === 0 && last === split.outputs.length - 1) return whole
    const size = (pieces: readonly number[]) => pieces.reduce((n, v) => n + shapeOf(walk, v)[0]!, 0)
    const attrs = { begin: [size(split.outputs.slice(0, first))], size: [size(own)] }
    return walk.add('Slice', [whole], attrs, { ...info, shape: attrs.size })
  })
  return parts.length === 1 ? parts[0] : walk.add('Concat', parts, { axis: 0 }, info)
}

/**
 * Along one axis, zeros behind a as long as b, and zeros before b as long as a: [a, 0] + [0, b] = [a, b]. The gradients of
 * slices are full of such sums.
 */
export const abutting: Rule = (walk, { kernel, inputs, outputs }) => {
  const pads = inputs.map((v) => walk.makers.get(v))
  if (kernel !== 'Add' || pads.some((m) => m?.kernel !== 'PadV2' || (m.attrs['constantValue'] ?? 0) !== 0))
    return undefined
  const info = walk.values[outputs[0]!]!
  // a sum may repeat what is of size 1
  if (!inputs.every((v) => same(shapeOf(walk, v), info.shape))) return undefined
  for (const [first, second] of [pads, [...pads].reverse()] as [Call, Call][]) {
    const [a, b] = [first.inputs[0]!, second.inputs[0]!]
    const axis = info.shape.findIndex((n, i) => n !== shapeOf(walk, a)[i])
    const length = (v: number): number => shapeOf(walk, v)[axis]!
    const only = ({ attrs }: Call, own: readonly number[]): boolean =>
      `${attrs['paddings']}` === `${info.shape.map((_, i) => (i === axis ? own : [0, 0]))}`
    if (only(first, [0, length(b)]) && only(second, [length(a), 0])) return walk.add('Concat', [a, b], { axis }, info)
  }
  return undefined
}
