/**
 * Meetings of the workers that need not wait for each other, as one: what is reduced is laid side by side. A norm's
 * gradient by its input asks for two means, a program for others beside them.
 *
 * The stage of a value is how many meetings come before it at least. What meets in the same stage meets together, so that
 * there are as many meetings as have to follow one another.
 *
 * Laws. The results are the same bits. Calls stand in an order in which they can run, the same on all workers.
 *
 * @module
 */
import { type Call, type Program, sizeOf, type ValueInfo } from '../program.js'

/** The program with one call of this kernel for each stage; its attribute `instance` is the number of the stage. */
export const bundle = (program: Program, kernel: string): Program => {
  const values: ValueInfo[] = [...program.values]
  const stageOf = new Map<number, number>()
  const stages: { readonly calls: Call[]; readonly meetings: Call[] }[] = [{ calls: [], meetings: [] }]
  for (const call of program.calls) {
    const stage = Math.max(0, ...call.inputs.map((v) => stageOf.get(v) ?? 0))
    const meets = call.kernel === kernel
    for (const v of call.outputs) stageOf.set(v, meets ? stage + 1 : stage)
    if (meets) stages[stage + 1] ??= { calls: [], meetings: [] }
    stages[stage]![meets ? 'meetings' : 'calls'].push(call)
  }
  const vector = (size: number): number => values.push({ shape: [size], dtype: 'float32' }) - 1
  const reshape = (from: number, to: number): Call => ({
    kernel: 'Reshape',
    inputs: [from],
    attrs: { shape: [...values[to]!.shape] },
    outputs: [to],
  })
  const together = (meetings: readonly Call[], instance: number): readonly Call[] => {
    const [first, ...others] = meetings
    if (first === undefined) return []
    const attrs = { ...first.attrs, instance }
    if (others.length === 0) return [{ ...first, attrs }]
    const sizes = meetings.map(({ outputs: [v] }) => sizeOf(values[v!]!.shape))
    const size = sizes.reduce((a, b) => a + b, 0)
    const [given, made] = [sizes.map(vector), sizes.map(vector)]
    const [whole, mean] = [vector(size), vector(size)]
    return [
      ...meetings.map(({ inputs: [v] }, i) => reshape(v!, given[i]!)),
      { kernel: 'Concat', inputs: given, attrs: { axis: 0 }, outputs: [whole] },
      { kernel, inputs: [whole], attrs, outputs: [mean] },
      { kernel: 'SplitV', inputs: [mean], attrs: { numOrSizeSplits: sizes, axis: 0 }, outputs: made },
      ...meetings.map(({ outputs: [v] }, i) => reshape(made[i]!, v!)),
    ]
  }
  const calls = stages.flatMap(({ calls, meetings }, i) => [...calls, ...together(meetings, i)])
  return { ...program, values, calls }
}
