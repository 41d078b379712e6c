/**
 * Data parallelism as a pass: the program of a whole batch becomes the program of one worker, which has an equal share.
 *
 * Every value lies on the workers in one of three ways (placements, as in GSPMD, Xu et al. 2021): replicated, averaged or
 * sharded along an axis. The batch is sharded along axis 0 and all other inputs are replicated; from call to call,
 * `placements.ts` says how the result can lie. A sum over the batch, or a product that contracts it, is averaged: each
 * worker has a value, and their mean is meant. Where such a value itself is needed, an all-reduce takes that mean. What is
 * affine in it needs none, so that all gradients are reduced at once, where the optimiser reads them.
 *
 * So sums over the batch are sums over all workers, in forward pass and gradients alike, batch statistics included, and
 * no rule of differentiation is needed. `moments.ts` reduces mean and variance of a batch together; `buckets.ts` merges
 * independent all-reduces.
 *
 * No list of rules: the placement of a call is the cheapest one for the placements of its inputs, and every value has a
 * new shape.
 *
 * Laws. The results are those of the whole program but for rounding, and the same bits on every worker. The programs of
 * all workers have the same collectives in the same order.
 *
 * @module
 */
import { DiffeoException, engineError, usageError } from '../../error.js'
import { callOf, type Kernel, type Rest } from '../call.js'
import { ALL_REDUCE } from '../operations.js'
import { type Call, type Elements, type Program, sizeOf, type ValueInfo } from '../program.js'
import { bucket } from './buckets.js'
import { momentsIn, shareMoments } from './moments.js'
import { type Placement, type Strategy, shareOf, strategiesOf } from './placements.js'

/** Who computes: one of so many workers, counted from 0. */
export interface Share {
  readonly index: number
  readonly count: number
}

const refuse = (what: string): never => {
  const fix = 'compute the mean of a batch by sums and products, or train on one worker'
  throw new DiffeoException(
    engineError('workers', 'operations that can be distributed among them', `'${what}' along the batch`, fix),
  )
}

/**
 * The program of one worker.
 *
 * @param batch which of the inputs, by their places, are shared out along axis 0; their sizes are multiples of the workers
 * @throws DiffeoException if a call mixes examples in a way that is no sum, or a result is not the same on all workers
 */
export const partition = (program: Program, batch: ReadonlySet<number>, { index, count }: Share): Program => {
  const values: ValueInfo[] = [...program.values]
  const constants = new Map<number, Elements>(program.constants)
  const calls: Call[] = []
  const at = new Map<number, Placement>()
  /** What was reduced already, and what was cut. */
  const reduced = new Map<number, number>()
  const cut = new Map<string, number>()
  const whole = (v: number): ValueInfo => program.values[v]!
  const placed = (v: number): Placement => (reduced.has(v) ? 'replicated' : (at.get(v) ?? 'replicated'))
  const add = <K extends Kernel>(kernel: K, inputs: readonly number[], info: ValueInfo, ...rest: Rest<K>): number => {
    const v = values.push(info) - 1
    calls.push(callOf(kernel, inputs, [v], ...rest))
    return v
  }
  const settle = (v: number, placement: Placement): void => {
    at.set(v, placement)
    values[v] = { ...whole(v), shape: shareOf(whole(v).shape, placement, count) }
  }
  const sumUp = (v: number): number => {
    const known = reduced.get(v)
    if (known !== undefined) return known
    const made = add(ALL_REDUCE, [v], values[v]!, { workers: count, instance: reduced.size })
    reduced.set(v, made)
    return made
  }
  const constant = (shape: readonly number[], data: Float32Array): number => {
    const v = values.push({ shape, dtype: 'float32' }) - 1
    constants.set(v, data)
    return v
  }
  const share = (v: number, axis: number): number => {
    const key = `${v} ${axis}`
    const known = cut.get(key)
    if (known !== undefined) return known
    const shape = [...shareOf(whole(v).shape, axis, count)]
    const begin = shape.map((n, i) => (i === axis ? index * n : 0))
    const made = add('Slice', [at.get(v) === 'averaged' ? sumUp(v) : v], { ...whole(v), shape }, { begin, size: shape })
    cut.set(key, made)
    return made
  }
  /** The number of a value that lies as it is wanted. */
  const as = (v: number, wanted: Placement): number => {
    const given = at.get(v) ?? 'replicated'
    if (given === wanted) return v
    if (typeof wanted === 'number') return share(v, wanted)
    // a mean of equals is what they are
    return given === 'averaged' ? sumUp(v) : v
  }
  /** How many numbers have to be sent for a strategy; not finite where it cannot be. */
  const cost = (inputs: readonly number[], strategy: Pick<Strategy, 'inputs'>): number =>
    inputs.reduce((n, v, i) => {
      const [given, wanted] = [placed(v), strategy.inputs[i]!]
      if (given === wanted || given === 'replicated') return n
      return given === 'averaged' ? n + sizeOf(whole(v).shape) : Number.POSITIVE_INFINITY
    }, 0)

  const moments = momentsIn(program)
  const done = new Set<number>()
  /** Whether a call is the mean of moments along the batch: the variance is made with it. */
  const isMoment = ({ inputs: [x], outputs: [out] }: Call): boolean => {
    const both = moments.get(out!)
    const axis = at.get(x!)
    if (both === undefined || typeof axis !== 'number') return false
    if (!both.mean.attrs.axis.includes(axis)) return false
    const builder = { add, constant, reduce: sumUp, place: (made: Call) => void calls.push(made) }
    shareMoments(both, values[x!]!, whole(out!).shape, { index, count }, builder)
    done.add(both.variance.outputs[0]!)
    return true
  }

  const visit = (call: Call): void => {
    if (done.has(call.outputs[0]!) || isMoment(call)) return
    const { kernel, inputs, attrs, outputs } = call
    const shapes = inputs.map((v) => whole(v).shape)
    const site = { attrs, shapes, out: whole(outputs[0]!).shape, workers: count }
    const replicated: Strategy<Call['attrs']> = { inputs: inputs.map(() => 'replicated'), output: 'replicated' }
    const ways = [replicated, ...(strategiesOf(kernel, site) ?? refuse(kernel))]
    const costs = ways.map((way) => cost(inputs, way))
    const least = Math.min(...costs)
    const way = ways[costs.indexOf(least)]!
    if (least === Number.POSITIVE_INFINITY) refuse(kernel)
    for (const v of outputs) settle(v, way.output)
    const share = (outputs: readonly number[]): Call =>
      // a strategy has the attributes of the kernel that it was asked for
      ({ kernel, inputs: inputs.map((v, i) => as(v, way.inputs[i]!)), attrs: way.attrs ?? attrs, outputs }) as Call
    if (way.summed === undefined) return void calls.push(share(outputs))
    const factor = constant([], Float32Array.of(count))
    const sum = values.push(values[outputs[0]!]!) - 1
    calls.push(share([sum]), callOf('Multiply', [sum, factor], outputs))
  }

  for (const [i, v] of program.inputs.entries()) {
    if (!batch.has(i)) continue
    const { shape } = whole(v)
    if ((shape[0] ?? 0) % count !== 0 || !shape[0])
      throw new DiffeoException(
        usageError('workers', `a batch whose size is a multiple of ${count}`, `${shape[0] ?? 'a number'}`),
      )
    settle(v, 0)
  }
  for (const call of program.calls) visit(call)
  const outputs = program.outputs.map((v) => (typeof at.get(v) === 'number' ? refuse('a result') : as(v, 'replicated')))
  return bucket({ values, inputs: program.inputs, constants, calls, outputs })
}
