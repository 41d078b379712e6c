/**
 * Mean and variance of a batch that is shared out: one meeting of the workers instead of two that wait for each other.
 *
 *     μ = (1/n) Σ μₖ,  σ² = (1/n) Σ (σₖ² + (μₖ − μ)²)
 *
 * for n equal shares (Chan, Golub & LeVeque 1983). Each worker centres by its own mean, and the means by theirs, so that
 * nothing cancels, as it does in E[x²] − μ².
 *
 * @module
 */

import { axesOf } from '../operations.js'
import { variance } from '../passes/batch-statistics.js'
import { type Call, type Program, sizeOf, type ValueInfo } from '../program.js'
import { rebuild } from '../rewrite.js'

/** A variance, and the mean of the same values along the same axes. */
interface Moments {
  /** The calls that answer them. */
  readonly mean: Call
  readonly variance: Call
}

/** All of a program, by the values that are the means. */
export const momentsIn = (program: Program): ReadonlyMap<number, Moments> => {
  const found = new Map<number, Moments>()
  rebuild(program, (call, build) => {
    build.place(call)
    for (const { mean } of call.kernel === 'Mean' ? variance(build, call.outputs[0]!, {}) : []) {
      const average = build.maker(mean!)!
      const along = ({ attrs, inputs: [v] }: Call) =>
        `${axesOf(attrs['axis'], build.shape(v!).length)} ${attrs['keepDims'] === true}`
      if (along(average) === along(call)) found.set(mean!, { mean: average, variance: call })
    }
  })
  return found
}

/** What a pass that builds a program offers. */
interface Builder {
  readonly add: (kernel: string, inputs: readonly number[], attrs: Call['attrs'], info: ValueInfo) => number
  readonly constant: (shape: readonly number[], data: Float32Array) => number
  /** The mean over the workers. */
  readonly reduce: (v: number) => number
  readonly place: (call: Call) => void
}

/** The calls of one worker for moments of `x`, its share; `shape` is that of a mean. */
export const shareMoments = (
  { mean, variance }: Moments,
  x: ValueInfo,
  shape: readonly number[],
  { index, count }: { readonly index: number; readonly count: number },
  { add, constant, reduce, place }: Builder,
): void => {
  const size = sizeOf(shape)
  const float = (...of: readonly number[]): ValueInfo => ({ shape: of, dtype: 'float32' })
  const flat = (v: number): number => add('Reshape', [v], { shape: [size] }, float(size))
  const centre = (v: number, by: number, info: ValueInfo): number =>
    add('Square', [add('Sub', [v, by], {}, info)], {}, info)
  const ofShare = (v: number): number => add('Mean', [v], mean.attrs, float(...shape))
  const ofWorkers = (v: number): number => add('Mean', [v], { axis: [0], keepDims: false }, float(size))

  const ownMean = ofShare(mean.inputs[0]!)
  const ownVariance = ofShare(centre(mean.inputs[0]!, ownMean, x))
  // each in a place of its own: a sum then has what all of them said
  const zeros = (n: number): readonly number[] => (n === 0 ? [] : [constant([n], new Float32Array(n))])
  const places = [
    ...zeros(2 * size * index),
    flat(ownMean),
    flat(ownVariance),
    ...zeros(2 * size * (count - 1 - index)),
  ]
  const said = reduce(add('Concat', places, { axis: 0 }, float(2 * size * count)))
  const all = add('Multiply', [said, constant([], Float32Array.of(count))], {}, float(2 * size * count))
  const table = add('Reshape', [all], { shape: [count, 2 * size] }, float(count, 2 * size))
  const columns = (from: number): number =>
    add('Slice', [table], { begin: [0, from], size: [count, size] }, float(count, size))
  const means = columns(0)
  const whole = ofWorkers(means)
  const between = ofWorkers(centre(means, whole, float(count, size)))
  const within = ofWorkers(columns(size))
  const attrs = { shape: [...shape] }
  place({ kernel: 'Reshape', inputs: [whole], attrs, outputs: mean.outputs })
  const sum = add('Add', [within, between], {}, float(size))
  place({ kernel: 'Reshape', inputs: [sum], attrs, outputs: variance.outputs })
}
