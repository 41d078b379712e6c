/**
 * Makes matrices of few columns that are cut into columns column by column:
 *
 *     split(x·W + b)           =  x·w₁ + b₁, x·w₂ + b₂, …
 *     split([a, c] ⊙ s + b)    =  a ⊙ s₁ + b₁, c ⊙ s₂ + b₂
 *
 * A coupling of the plane cuts what its net returns into scale and shift, and a norm stands between the concatenation of
 * one coupling and the cut of the next. The runtime's product with one column takes a third of the time of that with two
 * (with many they take longer than at once), and what repeats a vector of two numbers goes number by number.
 *
 * No list of rules: whether a sum is made in columns depends on whether, calls before it, something falls apart into
 * them. Until that is known nothing may be replaced.
 *
 * @module
 */
import { type Call, callOf, isCall } from '../call.js'
import { isByChannel, type Program, sameShape } from '../program.js'
import { type Build, rebuild } from '../rebuild.js'

/** The pieces of a matrix or vector along an axis; of a constant, as constants. */
const split = (build: Build, v: number, axis: number, sizes: readonly number[]): readonly number[] => {
  const { dtype, shape } = build.info(v)
  const pieces = sizes.map((size) => build.value({ dtype, shape: shape.with(axis, size) }))
  const data = build.data(v)
  if (data === undefined || data.length !== shape[axis]) {
    build.place(callOf('SplitV', [v], pieces, { numOrSizeSplits: sizes, axis }))
    return pieces
  }
  let from = 0
  return pieces.map((piece, i) => {
    const part = data.slice(from, from + sizes[i]!)
    from += sizes[i]!
    return build.settle(piece, part)
  })
}

/** The columns of a matrix that nothing else reads, if what makes it can make them one by one. */
const columns = (build: Build, v: number, sizes: readonly number[]): readonly number[] | undefined => {
  const { info, shape, maker, isReadOnce, value, place, release } = build
  const call = maker(v)
  if (call === undefined || !isReadOnce(v)) return undefined
  const { inputs } = call
  const column = (inputs: readonly number[], size: number): number => {
    const result = value({ ...info(v), shape: shape(v).with(1, size) })
    place({ ...call, inputs, outputs: [result] })
    return result
  }
  if (isCall(call, 'Concat')) {
    if (call.attrs.axis !== 1 || `${inputs.map((part) => shape(part)[1])}` !== `${sizes}`) return undefined
    release(call)
    return inputs
  }
  if (isCall(call, 'Dense', 'BatchMatMul')) {
    // the product with many columns at once is faster
    if ((call.kernel === 'Dense' && call.attrs.relu) || `${sizes}` !== '1,1') return undefined
    const [x, w, b] = inputs as readonly [number, number, number?]
    const weights = split(build, w, call.attrs.transposeB ? 0 : 1, sizes)
    const biases = b === undefined ? undefined : split(build, b, shape(b).length - 1, sizes)
    release(call)
    return weights.map((weight, i) => column([x, weight, ...(biases ? [biases[i]!] : [])], 1))
  }
  const at = inputs.findIndex((x) => sameShape(shape(x), shape(v)))
  const other = inputs[1 - at]
  if (!isCall(call, 'Add', 'Sub', 'Multiply', 'RealDiv') || other === undefined || !isByChannel(shape(other), shape(v)))
    return undefined
  const parts = columns(build, inputs[at]!, sizes)
  if (parts === undefined) return undefined
  const vectors = split(build, other, shape(other).length - 1, sizes)
  release(call)
  return parts.map((x, i) => column(at === 0 ? [x, vectors[i]!] : [vectors[i]!, x], sizes[i]!))
}

const visit = (call: Call, build: Build): void => {
  const { inputs, outputs } = call
  const [x] = inputs
  const isCut = isCall(call, 'SplitV') && build.shape(x!).length === 2 && call.attrs.axis === 1
  const sizes = isCut ? outputs.map((v) => build.shape(v)[1]!) : []
  const pieces = isCut ? columns(build, x!, sizes) : undefined
  if (pieces === undefined) build.place(call)
  else for (const [i, v] of outputs.entries()) build.replace(v, pieces[i]!)
}

/** The program with matrices that are cut into columns, and that nothing else reads, made in columns. */
export const gatherColumns = (program: Program): Program => rebuild(program, visit)
