/**
 * Matrices of few columns that are cut into columns, made column by column:
 *
 *     split(x·W + b)           =  x·w₁ + b₁, x·w₂ + b₂, …
 *     split([a, c] ⊙ s + b)    =  a ⊙ s₁ + b₁, c ⊙ s₂ + b₂
 *
 * A coupling of the plane cuts what its net answers into scale and shift, and a norm stands between the concatenation of
 * one coupling and the cut of the next. The runtime's product with one column takes a third of the time of that with two
 * (with many they take longer than at once), and what repeats a vector of two numbers goes number by number.
 *
 * @module
 */

import { axesOf } from '../operations.js'
import { type Call, type Elements, isByChannel, type Program, useCounts, type ValueInfo } from '../program.js'

const pairwise = new Set(['Add', 'Sub', 'Multiply', 'RealDiv'])

/** The program with what is cut into columns, and nothing else reads, made in columns. */
export const gatherColumns = (program: Program): Program => {
  const values: ValueInfo[] = [...program.values]
  const constants = new Map<number, Elements>(program.constants)
  const calls = new Map<number, Call>()
  const uses = new Map(useCounts(program))
  const shape = (v: number): readonly number[] => values[v]!.shape
  const place = (call: Call): readonly number[] => {
    calls.set(call.outputs[0]!, call)
    return call.outputs
  }
  const fresh = (like: number, shape: readonly number[]): number => values.push({ ...values[like]!, shape }) - 1

  /** The pieces of a matrix or vector along an axis. */
  const split = (v: number, axis: number, sizes: readonly number[]): readonly number[] => {
    const made = sizes.map((size) => fresh(v, shape(v).with(axis, size)))
    const data = constants.get(v)
    if (data === undefined || data.length !== shape(v)[axis])
      return place({ kernel: 'SplitV', inputs: [v], attrs: { numOrSizeSplits: [...sizes], axis }, outputs: made })
    for (const [i, piece] of made.entries()) {
      const from = sizes.slice(0, i).reduce((n, size) => n + size, 0)
      constants.set(piece, data.slice(from, from + sizes[i]!))
    }
    return made
  }

  /** Makes the columns of what nothing else reads, and takes away what made it whole; or answers nothing. */
  const columns = (v: number, sizes: readonly number[]): readonly number[] | undefined => {
    const maker = calls.get(v)
    if (maker === undefined || uses.get(v) !== 1) return undefined
    const { kernel, inputs, attrs } = maker
    const [rows] = shape(v) as readonly [number, number]
    const drop = (made: readonly number[]): readonly number[] => {
      calls.delete(v)
      return made
    }
    if (kernel === 'Concat') {
      const whole = axesOf(attrs['axis'], 2)[0] === 1 && `${inputs.map((part) => shape(part)[1])}` === `${sizes}`
      return whole ? drop(inputs) : undefined
    }
    if (kernel === 'Dense' || kernel === 'BatchMatMul') {
      // of many columns the product with all is faster
      if (attrs['relu'] === true || `${sizes}` !== '1,1') return undefined
      const [x, w, b] = inputs as readonly [number, number, number?]
      const weights = split(w, attrs['transposeB'] === true ? 0 : 1, sizes)
      const biases = b === undefined ? undefined : split(b, shape(b).length - 1, sizes)
      return drop(
        weights.flatMap((own, i) =>
          place({ kernel, inputs: [x, own, ...(biases ? [biases[i]!] : [])], attrs, outputs: [fresh(v, [rows, 1])] }),
        ),
      )
    }
    if (!pairwise.has(kernel)) return undefined
    const at = inputs.findIndex((x) => `${shape(x)}` === `${shape(v)}`)
    const other = inputs[1 - at]
    if (other === undefined || !isByChannel(shape(other), shape(v))) return undefined
    const own = columns(inputs[at]!, sizes)
    if (own === undefined) return undefined
    const vectors = split(other, shape(other).length - 1, sizes)
    return drop(
      own.flatMap((x, i) => {
        const pair = at === 0 ? [x, vectors[i]!] : [vectors[i]!, x]
        return place({ kernel, inputs: pair, attrs, outputs: [fresh(v, [rows, sizes[i]!])] })
      }),
    )
  }

  const renamed = new Map<number, number>()
  for (const given of program.calls) {
    const call = { ...given, inputs: given.inputs.map((v) => renamed.get(v) ?? v) }
    const [x] = call.inputs
    const cut = call.kernel === 'SplitV' && shape(x!).length === 2 && axesOf(call.attrs['axis'], 2)[0] === 1
    const own =
      cut &&
      columns(
        x!,
        call.outputs.map((v) => shape(v)[1]!),
      )
    if (own)
      for (const [i, v] of call.outputs.entries()) {
        renamed.set(v, own[i]!)
        // who read the piece reads the part now, which the concatenation alone had read
        uses.set(own[i]!, uses.get(v) ?? 0)
      }
    else place(call)
  }
  return {
    ...program,
    values,
    constants,
    calls: [...calls.values()],
    outputs: program.outputs.map((v) => renamed.get(v) ?? v),
  }
}
