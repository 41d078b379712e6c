/**
 * Batch norms of images and their gradients as one operation each: TensorFlow's kernels take two or three passes over
 * memory where the operations that TensorFlow.js makes of them take a dozen.
 *
 * What is looked for is written as equations, in which a name without one stands for any value:
 *
 *     y  = x ⊙ slope + (β − mean ⊙ slope),  slope = γ ⊙ rstd,  rstd = 1/√(variance + ε)
 *     dx = dy ⊙ slope + 2 (x − mean) ⊙ spread + shift
 *
 * The pass brings in kernels that TensorFlow.js does not have, so only `translate.ts` knows them.
 *
 * @module
 */

import { axesOf } from '../operations.js'
import { type Call, type Elements, type Program, sizeOf, type ValueInfo } from '../program.js'
import { dropUnused } from './simplify.js'

type Operation = readonly [kernel: string, ...operands: Pattern[]]
/** A name, or a kernel of operands. */
type Pattern = string | Operation
type Equations = Readonly<Record<string, Operation>>
/** The values that names stand for. */
type Found = Readonly<Record<string, number>>

const forward = {
  y: ['Add', ['Multiply', 'slope', 'x'], ['Sub', 'bias', ['Multiply', 'mean', 'slope']]],
  slope: ['Multiply', 'rstd', 'gain'],
  rstd: ['Rsqrt', ['Add', 'variance', 'epsilon']],
  variance: ['Mean', ['Square', 'centred']],
  centred: ['Sub', 'x', 'mean'],
  mean: ['Mean', 'x'],
} as const satisfies Equations

/** `first` is `scaled`, or that and what else depends on x. */
const backward = (first: Pattern) =>
  ({
    dx: ['Add', ['Add', first, ['Multiply', 'spread', ['Multiply', 'centred', 'two']]], 'shift'],
    scaled: ['Multiply', 'slope', 'dy'],
    sum: ['Sum', 'dy'],
    minus: ['Neg', 'sum'],
    inner: ['Add', ['Multiply', 'minus', 'mean'], ['Sum', ['Multiply', 'dy', 'x']]],
    cube: ['Multiply', ['Square', 'rstd'], 'rstd'],
    spread: [
      'Reshape',
      ['Multiply', ['Multiply', ['Multiply', 'inner', 'gain'], ['Multiply', 'cube', 'half']], 'share'],
    ],
    shift: ['Reshape', ['Multiply', ['Multiply', 'minus', 'slope'], 'share']],
  }) as const satisfies Equations
const gradients = [backward('scaled'), backward(['Add', 'rest', 'scaled'])]

/** The program with these operations. */
export const fuseNorms = (program: Program): Program => {
  const values: ValueInfo[] = [...program.values]
  const constants = new Map<number, Elements>(program.constants)
  const makers = new Map<number, Call>()
  const calls: Call[] = []
  const renamed = new Map<number, number>()
  /** The norms so far, by their slopes: what was found, and the operation. */
  const norms = new Map<number, readonly [found: Found, operation: Call]>()

  const place = (call: Call): void => {
    for (const v of call.outputs) makers.set(v, call)
    calls.push(call)
  }
  const fresh = (info: ValueInfo): number => values.push(info) - 1
  const constantOf = (v: number | undefined): number | undefined => {
    const data = v === undefined ? undefined : constants.get(v)
    return data?.length === 1 ? data[0] : undefined
  }
  /** Whether a reduction leaves channels alone. */
  const isByChannel = ({ kernel, inputs, attrs }: Call): boolean => {
    if (kernel !== 'Mean' && kernel !== 'Sum') return true
    const { length } = values[inputs[0]!]!.shape
    return length === 4 && attrs['keepDims'] !== true && axesOf(attrs['axis'], length).join() === '0,1,2'
  }
  const match = (equations: Equations, pattern: Pattern, v: number, found: Found): Found | undefined => {
    if (typeof pattern !== 'string') return matchCall(equations, pattern, makers.get(v), found)
    if (found[pattern] !== undefined) return found[pattern] === v ? found : undefined
    const equation = equations[pattern]
    const inside = equation === undefined ? found : match(equations, equation, v, found)
    return inside && { ...inside, [pattern]: v }
  }
  const matchCall = (
    equations: Equations,
    [kernel, ...operands]: Operation,
    call: Call | undefined,
    found: Found,
  ): Found | undefined => {
    if (call?.kernel !== kernel || !isByChannel(call)) return undefined
    const orders = kernel === 'Add' || kernel === 'Multiply' ? [call.inputs, call.inputs.toReversed()] : [call.inputs]
    for (const inputs of orders) {
      const all = operands.reduce<Found | undefined>((f, p, i) => f && match(equations, p, inputs[i]!, f), found)
      if (all !== undefined) return all
    }
    return undefined
  }

  /** Whether a call was the result of a norm in training. */
  const normalised = (call: Call): boolean => {
    const found = matchCall(forward, forward.y, call, {})
    if (found === undefined) return false
    const { x, gain, bias, mean, variance, slope } = found as Record<string, number>
    const epsilon = constantOf(found['epsilon'])
    if (epsilon === undefined || values[gain!]!.shape.length !== 1) return false
    const vector = values[mean!]!
    const [own, unbiased, ...reserved] = Array.from({ length: 5 }, () => fresh(vector)) as [number, number]
    const operation: Call = {
      kernel: 'BatchNorm',
      inputs: [x!, gain!, bias!],
      attrs: { epsilon },
      outputs: [call.outputs[0]!, own, unbiased, ...reserved],
    }
    place(operation)
    const count = sizeOf(values[x!]!.shape) / vector.shape[0]!
    const [factor, biased] = [fresh({ shape: [], dtype: 'float32' }), fresh(vector)]
    constants.set(factor, Float32Array.of((count - 1) / count))
    place({ kernel: 'Multiply', inputs: [unbiased, factor], attrs: {}, outputs: [biased] })
    renamed.set(mean!, own)
    renamed.set(variance!, biased)
    norms.set(slope!, [
      { x, gain, mean: own, slope, rstd: found['rstd']!, centred: found['centred']! } as Found,
      operation,
    ])
    return true
  }

  /** The slope of the norm that a gradient may be of. */
  const slopesOf = (v: number, depth: number): readonly number[] =>
    depth === 0 ? [] : (makers.get(v)?.inputs ?? []).flatMap((u) => (norms.has(u) ? [u] : slopesOf(u, depth - 1)))

  /** Whether a call was what a norm answers to the gradient of its result. */
  const differentiated = (call: Call): boolean => {
    if (call.kernel !== 'Add' || values[call.outputs[0]!]!.shape.length !== 4) return false
    for (const slope of call.inputs.flatMap((v) => slopesOf(v, 3)))
      for (const equations of gradients) {
        const [known, { inputs, outputs, attrs }] = norms.get(slope)!
        const found = matchCall(equations, equations.dx, call, known)
        if (found === undefined || !isGradient(found, inputs[0]!)) continue
        const { rest, dy, inner, rstd, sum } = found as Record<string, number>
        const [x, gain] = inputs as [number, number]
        const dx = rest === undefined ? call.outputs[0]! : fresh(values[x]!)
        const [dGain, dBias] = [fresh(values[gain]!), fresh(values[gain]!)]
        place({
          kernel: 'BatchNormGrad',
          inputs: [dy!, x, gain, ...outputs.slice(3)],
          attrs,
          outputs: [dx, dGain, dBias],
        })
        if (rest !== undefined) place({ ...call, inputs: [rest, dx] })
        renamed.set(sum!, dBias)
        for (const { kernel, inputs: own, outputs: product } of calls)
          if (kernel === 'Multiply' && own.includes(inner!) && own.includes(rstd!)) renamed.set(product[0]!, dGain)
        return true
      }
    return false
  }
  /** Whether the numbers in a gradient are those of means over batch and positions. */
  const isGradient = (found: Found, x: number): boolean => {
    const { shape } = values[x]!
    const share = Math.fround(shape[3]! / sizeOf(shape))
    const is = (name: string, value: number) => constantOf(found[name]) === value
    return is('two', 2) && is('half', -0.5) && is('share', share)
  }

  const of = (v: number): number => renamed.get(v) ?? v
  for (const given of program.calls) {
    const call = { ...given, inputs: given.inputs.map(of) }
    if (!normalised(call) && !differentiated(call)) place(call)
  }
  return dropUnused({ ...program, values, constants, calls, outputs: program.outputs.map(of) })
}
