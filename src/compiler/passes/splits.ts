/**
 * Slices of one value that lie side by side along one axis and are all of it, as one call:
 *
 *     x[0:a], x[a:b], x[b:n]  =  split(x, a, b − a, n − b)
 *
 * A coupling cuts its input in two, and its net's output too.
 *
 * @module
 */

import { sliceOf } from '../operations.js'
import type { Call, Program } from '../program.js'

interface Piece {
  readonly call: Call
  readonly axis: number
  readonly from: number
  readonly to: number
}

/** A slice along a single axis. */
const pieceOf = ({ values }: Program, call: Call): Piece | undefined => {
  const info = values[call.inputs[0]!]!
  const [begin, size] = sliceOf(info, call.attrs)
  const cut = info.shape.flatMap((n, i) => (size[i] === n ? [] : [i]))
  const [axis] = cut
  return axis === undefined || cut.length > 1
    ? undefined
    : { call, axis, from: begin[axis]!, to: begin[axis]! + size[axis]! }
}

/** The program with slices that make up a value gathered as calls of `SplitV`. */
export const gatherSlices = (program: Program): Program => {
  const byAxis = new Map<string, Piece[]>()
  for (const call of program.calls) {
    const piece = call.kernel === 'Slice' ? pieceOf(program, call) : undefined
    if (piece === undefined) continue
    const key = `${call.inputs[0]}:${piece.axis}`
    byAxis.set(key, [...(byAxis.get(key) ?? []), piece])
  }
  /** What stands in the place of a slice: the split, or nothing where that stands already. */
  const instead = new Map<Call, Call | undefined>()
  for (const pieces of byAxis.values()) {
    const inOrder = [...pieces].sort((a, b) => a.from - b.from)
    const [first] = pieces as [Piece, ...Piece[]]
    const length = program.values[first.call.inputs[0]!]!.shape[first.axis]!
    const ends = inOrder.map(({ to }) => to)
    const whole = ends.at(-1) === length && inOrder.every(({ from }, i) => from === (ends[i - 1] ?? 0))
    if (!whole || pieces.length < 2) continue
    for (const { call } of pieces) instead.set(call, undefined)
    const attrs = { numOrSizeSplits: inOrder.map(({ from, to }) => to - from), axis: first.axis }
    const outputs = inOrder.map(({ call }) => call.outputs[0]!)
    instead.set(first.call, { kernel: 'SplitV', inputs: first.call.inputs, attrs, outputs })
  }
  const calls = program.calls.flatMap((call) => (instead.has(call) ? (instead.get(call) ?? []) : [call]))
  return { ...program, calls }
}
