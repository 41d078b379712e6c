/**
 * Simplifications of programs.
 *
 * One walk from first call to last, in which a call is renamed away (it answers what is there already), merged with
 * the one before it, folded into a constant, or kept; and one from last to first, which drops what nothing reads.
 *
 * @module
 */
import { type Call, type Elements, type Program, showAttrs, type ValueInfo } from '../program.js'
import type { Walk } from '../rewrite.js'
import { rules, rulesOfMany } from './algebra.js'

const latin1 = new TextDecoder('latin1')

/** A key that equal constants share. */
const constantKey = (data: Elements, { shape, dtype }: ValueInfo): string =>
  `${dtype}[${shape}]${latin1.decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`

/** A key that equal calls share. */
const keyOf = ({ kernel, inputs, attrs }: Pick<Call, 'kernel' | 'inputs' | 'attrs'>): string =>
  `${kernel}(${inputs})${showAttrs(attrs)}`

/** Every rule at every call, and each value made once (common subexpressions). */
const simplifyOnce = (program: Program): Program => {
  const values = [...program.values]
  const constants = new Map<number, Elements>()
  const makers = new Map<number, Call>()
  const calls: Call[] = []
  const renamed = new Map<number, number>()
  const known = new Map<string, readonly number[]>()
  const of = (v: number): number => renamed.get(v) ?? v

  for (const [v, data] of program.constants) {
    const key = constantKey(data, values[v]!)
    const first = known.get(key)
    if (first === undefined) {
      known.set(key, [v])
      constants.set(v, data)
    } else renamed.set(v, first[0]!)
  }

  const place = (call: Call): void => {
    const key = keyOf(call)
    const first = known.get(key)
    if (first === undefined) {
      known.set(key, call.outputs)
      for (const v of call.outputs) makers.set(v, call)
      calls.push(call)
    } else for (const [i, v] of call.outputs.entries()) renamed.set(v, first[i]!)
  }
  const walk: Walk = {
    values,
    constants,
    makers,
    find: (kernel, inputs) => known.get(keyOf({ kernel, inputs, attrs: {} }))?.[0],
    add: (kernel, inputs, attrs, info) => {
      const v = values.push(info) - 1
      visit({ kernel, inputs, attrs, outputs: [v] })
      return of(v)
    },
  }
  const visit = (call: Call): void => {
    for (const rule of call.outputs.length === 1 ? rules : rulesOfMany) {
      const made = rule(walk, call)
      if (made === undefined) continue
      for (const [i, v] of [made].flat().entries()) if (v !== call.outputs[i]) renamed.set(call.outputs[i]!, v)
      return
    }
    place(call)
  }
  for (const call of program.calls) visit({ ...call, inputs: call.inputs.map(of) })
  return dropUnused({ values, inputs: program.inputs, constants, calls, outputs: program.outputs.map(of) })
}

/** Only what the outputs need. */
export const dropUnused = (program: Program): Program => {
  const needed = new Set(program.outputs)
  const { calls } = program
  const kept: Call[] = []
  for (let i = calls.length - 1; i >= 0; i--)
    if (calls[i]!.outputs.some((v) => needed.has(v))) {
      kept.push(calls[i]!)
      for (const v of calls[i]!.inputs) needed.add(v)
    }
  const constants = new Map([...program.constants].filter(([v]) => needed.has(v)))
  return { ...program, constants, calls: kept.reverse() }
}

/** Simplifies until nothing changes any more, a few times at most. */
export const simplify = (program: Program, rounds = 4): Program => {
  const next = simplifyOnce(program)
  return rounds <= 1 || next.calls.length === program.calls.length ? next : simplify(next, rounds - 1)
}
