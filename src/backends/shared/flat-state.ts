/**
 * Many small tensors as one: a state of a thousand parameters crosses into the runtime and back as a single vector.
 * The tensors of one list, or of one tree, are pieces of one input, and all results are pieces of one output, in order; so a state
 * that comes back as the next argument lies there as it should, and nothing is copied.
 *
 * @module
 */
import { type Call, callOf } from '../../compiler/call.js'
import { type Program, sizeOf, type ValueInfo } from '../../compiler/program.js'
import type { CompilerInput } from '../compiler.js'

/** A run of consecutive inputs, or outputs, that are one vector: where each begins, and the whole. */
export interface Group {
  readonly from: number
  readonly count: number
  /** Where each begins in the vector. */
  readonly offsets: readonly number[]
  readonly size: number
}

interface Packed {
  /** One input for each group, and one output for each. */
  readonly program: Program
  readonly inputs: readonly Group[]
  readonly outputs: readonly Group[]
}

/** Groups of the given counts; one with anything but float32 in it falls apart into single tensors. */
const grouped = (infos: readonly ValueInfo[], counts: readonly number[]): readonly Group[] => {
  let from = 0
  return counts.flatMap((count) => {
    const own = infos.slice(from, from + count)
    const parts = own.every(({ dtype }) => dtype === 'float32') ? [own] : own.map((info) => [info])
    return parts.map((part) => {
      let size = 0
      const offsets: number[] = []
      for (const { shape } of part) {
        offsets.push(size)
        size += sizeOf(shape)
      }
      const group = { from, count: part.length, offsets, size }
      from += part.length
      return group
    })
  })
}

/** The program with one vector for each group of inputs, and for each group of outputs. */
export const pack = ({ program, inputGroups, outputGroups = [program.outputs.length] }: CompilerInput): Packed => {
  const values: ValueInfo[] = [...program.values]
  const { constants } = program
  const before: Call[] = []
  const after: Call[] = []
  const add = (info: ValueInfo): number => values.push(info) - 1
  const info = (v: number): ValueInfo => values[v]!
  const vector = (size: number): ValueInfo => ({ shape: [size], dtype: 'float32' })

  const groupsIn = grouped(program.inputs.map(info), inputGroups)
  const inputs = groupsIn.map(({ from, count, size }) => {
    const own = program.inputs.slice(from, from + count)
    if (count === 1) return own[0]!
    const whole = add(vector(size))
    const pieces = own.map((v) => add(vector(sizeOf(info(v).shape))))
    const sizes = pieces.map((v) => info(v).shape[0]!)
    before.push(callOf('SplitV', [whole], pieces, { numOrSizeSplits: sizes, axis: 0 }))
    for (const [i, v] of own.entries()) before.push(callOf('Reshape', [pieces[i]!], [v], { shape: info(v).shape }))
    return whole
  })

  const groupsOut = grouped(program.outputs.map(info), outputGroups)
  const outputs = groupsOut.map(({ from, count, size }) => {
    const own = program.outputs.slice(from, from + count)
    if (count === 1) return own[0]!
    const flat = own.map((v) => {
      const w = add(vector(sizeOf(info(v).shape)))
      after.push(callOf('Reshape', [v], [w], { shape: info(w).shape }))
      return w
    })
    const whole = add(vector(size))
    after.push(callOf('Concat', flat, [whole], { axis: 0 }))
    return whole
  })

  const calls = [...before, ...program.calls, ...after]
  return { program: { values, constants, inputs, calls, outputs }, inputs: groupsIn, outputs: groupsOut }
}
