/**
 * Rules for `simplify.ts` about values that are cut in pieces and joined again, as couplings do, and about the gradients
 * of slices.
 *
 * @module
 */
import type { Call } from '../call.js'
import { sameShape } from '../program.js'
import type { Build } from '../rebuild.js'
import { any, as, op, rule } from '../rewrite.js'

/** A slice of a `Concat`, cut from one of its parts, if it lies within that part. */
const within = (
  { info, emit }: Build,
  { inputs }: Call,
  axis: number,
  begin: readonly number[],
  size: readonly number[],
): number | undefined => {
  let from = begin[axis]!
  for (const part of inputs) {
    const { shape, dtype } = info(part)
    const length = shape[axis]!
    if (from >= length) from -= length
    else if (from + size[axis]! > length) return undefined
    else return emit('Slice', [part], { shape: size, dtype }, { begin: begin.with(axis, from), size: [...size] })
  }
  return undefined
}

const joined = as('whole', op('Concat'))

/** A slice of a concatenation is a slice of one part. */
export const cut = rule('Slice', [joined], ({ whole }, build, { attrs }) => {
  const concat = build.made(whole, 'Concat')!
  return within(build, concat, concat.attrs.axis, attrs.begin, attrs.size)
})

/** A split of a concatenation, where each piece is a slice of one part. */
export const parted = rule('SplitV', [joined], ({ whole }, build, { attrs, outputs }) => {
  const { shape, made } = build
  const concat = made(whole, 'Concat')!
  const { axis } = concat.attrs
  if (attrs.axis !== axis) return undefined
  const begin = shape(whole).map(() => 0)
  let from = 0
  const pieces = outputs.map((v) => {
    const size = shape(v)
    const piece = within(build, concat, axis, begin.with(axis, from), size)
    from += size[axis]!
    return piece
  })
  return pieces.every((piece) => piece !== undefined) ? pieces : undefined
})

/** Consecutive inputs of a `Concat` that are consecutive pieces of one `SplitV`, or one other input. */
interface Run {
  readonly split: Call | undefined
  readonly first: number
  readonly pieces: readonly number[]
}

const runsOf = ({ shape, maker }: Build, inputs: readonly number[]): readonly Run[] => {
  const runs: Run[] = []
  for (const v of inputs) {
    const call = maker(v)
    const split = call?.kernel === 'SplitV' && shape(v).length === 1 ? call : undefined
    const at = split?.outputs.indexOf(v) ?? 0
    const before = runs.at(-1)
    if (split !== undefined && before?.split === split && before.first + before.pieces.length === at)
      runs[runs.length - 1] = { ...before, pieces: [...before.pieces, v] }
    else runs.push({ split, first: at, pieces: [v] })
  }
  return runs
}

/** Neighbouring pieces of one vector, joined again, are the vector itself or a slice of it. */
export const reunited = rule('Concat', [], (_, build, { inputs, outputs }) => {
  const { info, shape, emit } = build
  const out = info(outputs[0]!)
  const runs = out.shape.length === 1 ? runsOf(build, inputs) : []
  if (runs.length === 0 || runs.length === inputs.length) return undefined
  const sizeOf = (pieces: readonly number[]) => pieces.reduce((n, v) => n + shape(v)[0]!, 0)
  const parts = runs.map(({ split, first, pieces }) => {
    if (split === undefined || pieces.length === 1) return pieces[0]!
    const [whole] = split.inputs as readonly [number]
    if (pieces.length === split.outputs.length) return whole
    const [begin, size] = [[sizeOf(split.outputs.slice(0, first))], [sizeOf(pieces)]]
    return emit('Slice', [whole], { ...out, shape: size }, { begin, size })
  })
  return parts.length === 1 ? parts[0] : emit('Concat', parts, out, { axis: 0 })
})

const padded = <N extends string, M extends string>(name: N, part: M) => as(name, op('PadV2', any(part)))

/**
 * Along one axis, zeros after a as long as b, and zeros before b as long as a: [a, 0] + [0, b] = [a, b]. The gradients of
 * slices are such sums.
 */
export const abutting = rule(
  'Add',
  [padded('left', 'a'), padded('right', 'b')],
  ({ left, a, right, b }, { info, shape, made, emit }, { outputs }) => {
    const out = info(outputs[0]!)
    // a sum may repeat an operand along axes of size 1
    if (![left, right].every((v) => sameShape(shape(v), out.shape))) return undefined
    const axis = out.shape.findIndex((n, i) => n !== shape(a)[i])
    const isPadded = (v: number, sides: readonly [number, number]): boolean => {
      const { attrs } = made(v, 'PadV2')!
      const paddings = out.shape.map((_, i) => (i === axis ? sides : [0, 0]))
      return attrs.constantValue === 0 && `${attrs.paddings}` === `${paddings}`
    }
    return isPadded(left, [0, shape(b)[axis]!]) && isPadded(right, [shape(a)[axis]!, 0])
      ? emit('Concat', [a, b], out, { axis })
      : undefined
  },
)
