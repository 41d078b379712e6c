/**
 * Sums of vectors and matrices as one call, where nothing else reads the sums between:
 *
 *     a + b + c + …  =  Σ (a, b, c, …)
 *
 * The log-dets of a flow are such a sum. Images have `affine.ts`.
 *
 * @module
 */
import { type Call, type Program, useCounts } from '../program.js'

/** The program with sums gathered as calls of `AddN`, whose terms may repeat along axes of size 1. */
export const gatherSums = (program: Program): Program => {
  const uses = useCounts(program)
  const outputs = new Set(program.outputs)
  const calls = new Map<number, Call>()
  const isSum = (call: Call | undefined): call is Call => call?.kernel === 'Add' || call?.kernel === 'AddN'
  const terms = (v: number): readonly number[] => {
    const maker = calls.get(v)
    if (!isSum(maker) || uses.get(v) !== 1 || outputs.has(v)) return [v]
    calls.delete(v)
    return maker.inputs
  }
  for (const call of program.calls) {
    const [v] = call.outputs as readonly [number]
    const { shape, dtype } = program.values[v]!
    const own = isSum(call) && shape.length < 4 && dtype === 'float32' ? call.inputs.flatMap(terms) : call.inputs
    calls.set(v, own.length > call.inputs.length ? { kernel: 'AddN', inputs: own, attrs: {}, outputs: [v] } : call)
  }
  return { ...program, calls: [...calls.values()] }
}
