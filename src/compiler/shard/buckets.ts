/**
 * Merges independent all-reduces into one, as DDP's buckets do: their vectors are concatenated. A norm's gradient by its
 * input asks for two means, a program for others beside them.
 *
 * The stage of a value is the number of all-reduces that have to come before it. All-reduces of one stage are merged, so
 * that no more are left than have to follow one another.
 *
 * No list of rules: what decides is the stage, which depends on all calls before. Calls of one stage move together.
 *
 * Laws. The results are the same bits. Calls stand in an order in which they can run, the same on all workers.
 *
 * @module
 */
import { type Call, type CallOf, callOf, isCall } from '../call.js'
import { ALL_REDUCE } from '../operations.js'
import { type Program, sizeOf, type ValueInfo } from '../program.js'

/** The program with one all-reduce for each stage; its attribute `instance` is the number of the stage. */
export const bucket = (program: Program): Program => {
  const values: ValueInfo[] = [...program.values]
  const stageOf = new Map<number, number>()
  const stages: { readonly calls: Call[]; readonly reductions: CallOf<typeof ALL_REDUCE>[] }[] = []
  const at = (stage: number) => {
    stages[stage] ??= { calls: [], reductions: [] }
    return stages[stage]
  }
  for (const call of program.calls) {
    const stage = Math.max(0, ...call.inputs.map((v) => stageOf.get(v) ?? 0))
    const isReduction = isCall(call, ALL_REDUCE)
    for (const v of call.outputs) stageOf.set(v, isReduction ? stage + 1 : stage)
    if (isReduction) at(stage).reductions.push(call)
    else at(stage).calls.push(call)
  }
  const vector = (size: number): number => values.push({ shape: [size], dtype: 'float32' }) - 1
  const reshape = (from: number, to: number): Call => callOf('Reshape', [from], [to], { shape: values[to]!.shape })
  const together = (reductions: readonly CallOf<typeof ALL_REDUCE>[], instance: number): readonly Call[] => {
    const [first, ...others] = reductions
    if (first === undefined) return []
    const attrs = { ...first.attrs, instance }
    if (others.length === 0) return [{ ...first, attrs }]
    const sizes = reductions.map(({ outputs: [v] }) => sizeOf(values[v!]!.shape))
    const size = sizes.reduce((a, b) => a + b, 0)
    const [flat, pieces] = [sizes.map(vector), sizes.map(vector)]
    const [whole, mean] = [vector(size), vector(size)]
    return [
      ...reductions.map(({ inputs: [v] }, i) => reshape(v!, flat[i]!)),
      callOf('Concat', flat, [whole], { axis: 0 }),
      callOf(ALL_REDUCE, [whole], [mean], attrs),
      callOf('SplitV', [mean], pieces, { numOrSizeSplits: sizes, axis: 0 }),
      ...reductions.map(({ outputs: [v] }, i) => reshape(pieces[i]!, v!)),
    ]
  }
  const calls = stages.flatMap(({ calls, reductions }, i) => [...calls, ...together(reductions, i)])
  return { ...program, values, calls }
}
