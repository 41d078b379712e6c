/**
 * Mean and variance of a batch that is sharded: one all-reduce instead of two that wait for each other.
 *
 *     μ = (1/n) Σ μₖ,  σ² = (1/n) Σ (σₖ² + (μₖ − μ)²)
 *
 * for n equal shares (Chan, Golub & LeVeque 1983). Each worker centres by its own mean, and the means by theirs, so that
 * nothing cancels, as it does in E[x²] − μ².
 *
 * @module
 */

import { type CallOf, callOf, isCall, type Kernel, type Rest } from '../call.js'
import { variance } from '../passes/batch-statistics.js'
import { type Call, type Program, sizeOf, type ValueInfo } from '../program.js'
import { rebuild } from '../rebuild.js'

/** A variance, and the mean of the same values along the same axes. */
interface Moments {
  /** The calls that compute them. */
  readonly mean: CallOf<'Mean'>
  readonly variance: CallOf<'Mean'>
}

/** All of a program, by the values that are the means. */
export const momentsIn = (program: Program): ReadonlyMap<number, Moments> => {
  const found = new Map<number, Moments>()
  rebuild(program, (call, build) => {
    build.place(call)
    if (!isCall(call, 'Mean')) return
    for (const { mean } of variance(build, call.outputs[0]!, {})) {
      const average = build.made(mean!, 'Mean')!
      const along = ({ attrs: { axis, keepDims } }: CallOf<'Mean'>) => `${axis} ${keepDims}`
      if (along(average) === along(call)) found.set(mean!, { mean: average, variance: call })
    }
  })
  return found
}

/** What a pass that builds a program offers. */
interface Builder {
  readonly add: <K extends Kernel>(kernel: K, inputs: readonly number[], info: ValueInfo, ...rest: Rest<K>) => number
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
  const flat = (v: number): number => add('Reshape', [v], float(size), { shape: [size] })
  const centre = (v: number, by: number, info: ValueInfo): number => add('Square', [add('Sub', [v, by], info)], info)
  const ofShare = (v: number): number => add('Mean', [v], float(...shape), mean.attrs)
  const ofWorkers = (v: number): number => add('Mean', [v], float(size), { axis: [0], keepDims: false })

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
  const said = reduce(add('Concat', places, float(2 * size * count), { axis: 0 }))
  const all = add('Multiply', [said, constant([], Float32Array.of(count))], float(2 * size * count))
  const table = add('Reshape', [all], float(count, 2 * size), { shape: [count, 2 * size] })
  const columns = (from: number): number =>
    add('Slice', [table], float(count, size), { begin: [0, from], size: [count, size] })
  const means = columns(0)
  const whole = ofWorkers(means)
  const between = ofWorkers(centre(means, whole, float(count, size)))
  const within = ofWorkers(columns(size))
  place(callOf('Reshape', [whole], mean.outputs, { shape }))
  place(callOf('Reshape', [add('Add', [within, between], float(size))], variance.outputs, { shape }))
}
