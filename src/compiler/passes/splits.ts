/**
 * Gathers slices of one value that lie side by side along one axis and cover it as one call:
 *
 *     x[0:a], x[a:b], x[b:n]  =  split(x, a, b − a, n − b)
 *
 * A coupling cuts its input in two, and its net's output too.
 *
 * @module
 */
import { type Call, type CallOf, isCall } from '../call.js'
import type { Program } from '../program.js'
import type { Build } from '../rebuild.js'
import { any, rewrite, rule } from '../rewrite.js'

interface Piece {
  readonly axis: number
  readonly from: number
  readonly to: number
  readonly result: number
}

/** A slice that cuts along a single axis. */
const pieceOf = ({ shape }: Build, { inputs, attrs, outputs }: CallOf<'Slice'>): readonly Piece[] => {
  const { begin, size } = attrs
  const axes = shape(inputs[0]!).flatMap((n, i) => (size[i] === n ? [] : [i]))
  return axes.length === 1
    ? axes.map((axis) => ({ axis, from: begin[axis]!, to: begin[axis]! + size[axis]!, result: outputs[0]! }))
    : []
}

const split = rule('Slice', [any('x')], ({ x }, build, call) => {
  const [slice] = pieceOf(build, call)
  if (slice === undefined) return undefined
  const { axis } = slice
  const along = (reader: Call): readonly Piece[] =>
    isCall(reader, 'Slice') ? pieceOf(build, reader).filter((piece) => piece.axis === axis) : []
  const readers = build.readers(x)
  // the first piece decides for all: to look at all of them from each one takes quadratic time
  if (readers.find((reader) => along(reader).length > 0) !== call) return undefined
  const pieces = readers.flatMap(along).sort((a, b) => a.from - b.from)
  const ends = pieces.map(({ to }) => to)
  const covers = ends.at(-1) === build.shape(x)[axis] && pieces.every(({ from }, i) => from === (ends[i - 1] ?? 0))
  return covers
    ? {
        kernel: 'SplitV',
        inputs: [x],
        attrs: { numOrSizeSplits: pieces.map(({ from, to }) => to - from), axis },
        outputs: pieces.map(({ result }) => result),
      }
    : undefined
})

/** The program with slices that cover a value gathered as calls of `SplitV`. */
export const gatherSlices = (program: Program): Program => rewrite(program, [split])
