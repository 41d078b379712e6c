/**
 * A masked net (MADE, Germain et al. 2015): numbers for each variable that depend only on the variables before it.
 *
 * Every unit has a degree. Variable i has degree i; a unit reads units of a degree up to its own; the numbers of variable
 * i read hidden units of a degree below i. Hidden units are sorted by degree, so each unit reads a prefix of the
 * layer below. Hence the inverse goes column by column and computes each hidden unit once, as soon as its inputs are
 * known: half the products of one pass in total, not D passes.
 *
 * With a context, its elements have degree 0, and so have some hidden units: every variable sees the context.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { branch, constant, gaussian, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import { unwrap } from '../tensor/tensor.js'

export interface MadeShape {
  /** D, the number of variables. */
  readonly variables: number
  /** How many numbers of context there are. */
  readonly context: number
  /** How many numbers each variable gets. */
  readonly width: number
  readonly hidden: readonly number[]
  readonly activation: 'relu' | 'tanh'
}

export interface Made {
  readonly spec: Spec
  /** [N, context + D] → [N, D, width] */
  readonly run: (params: Params, x: tf.Tensor) => tf.Tensor
  /** The x for which `solve(row, i)` is column i, [N, 1], at the row [N, 1, width] of its numbers. */
  readonly columns: (
    params: Params,
    context: tf.Tensor | undefined,
    examples: number,
    solve: (row: tf.Tensor, i: number) => tf.Tensor,
  ) => tf.Tensor
}

interface Weights {
  readonly kernel: tf.Tensor2D
  readonly bias: tf.Tensor
}

/** 1 where a unit may read another, by their degrees. */
const maskOf = (
  from: readonly number[],
  to: readonly number[],
  reads: (from: number, to: number) => boolean,
): tf.Tensor2D => {
  const ones = Float32Array.from({ length: from.length * to.length }, (_, k) =>
    reads(from[Math.floor(k / to.length)]!, to[k % to.length]!) ? 1 : 0,
  )
  return tf.tensor2d(ones, [from.length, to.length])
}

export const made = ({ variables, context, width, hidden, activation }: MadeShape): Made => {
  // without a context, units of degree 0 would read nothing
  const least = context > 0 || variables === 1 ? 0 : 1
  const degrees = (units: number): readonly number[] =>
    Array.from({ length: units }, (_, h) => least + Math.floor((h * (variables - least)) / units))
  const numbers = Array.from({ length: variables }, (_, i) => i + 1)
  const layers = [[...Array.from({ length: context }, () => 0), ...numbers], ...hidden.map(degrees)]
  const outputs = numbers.flatMap((i) => Array.from({ length: width }, () => i))
  const act = activation === 'relu' ? tf.relu : tf.tanh
  const last = hidden.length
  const names = [...hidden.map((_, l) => `dense${l}`), 'out']
  const spec = Object.fromEntries([
    ...hidden.map((units, l) => {
      const inputs = layers[l]!.length - (l === 0 ? context : 0)
      // half of the inputs are masked
      return [
        `dense${l}`,
        { kernel: gaussian([layers[l]!.length, units], Math.sqrt(4 / inputs)), bias: constant([units], 0) },
      ] as const
    }),
    ['out', { kernel: constant([hidden.at(-1)!, outputs.length], 0), bias: constant([outputs.length], 0) }] as const,
  ])
  const weights = (params: Params): readonly Weights[] =>
    names.map((name) => {
      const { kernel, bias } = branch(params, name) as ParamsOf<(typeof spec)[string]>
      return { kernel: unwrap(kernel) as tf.Tensor2D, bias: unwrap(bias) }
    })
  const masks = (): readonly tf.Tensor2D[] =>
    names.map((_, l) =>
      l === last
        ? maskOf(layers[l]!, outputs, (from, to) => from < to)
        : maskOf(layers[l]!, layers[l + 1]!, (from, to) => from <= to),
    )
  return {
    spec,
    run: (params, x) => {
      const mask = masks()
      const y = weights(params).reduce<tf.Tensor>((h, { kernel, bias }, l) => {
        const next = tf.add(tf.matMul(h as tf.Tensor2D, tf.mul(kernel, mask[l]!)), bias)
        return l === last ? next : act(next)
      }, x)
      return tf.reshape(y, [-1, variables, width])
    },
    columns: (params, given, examples, solve) => {
      const own = weights(params)
      const known: (tf.Tensor | undefined)[] = layers.map((_, l) => (l === 0 ? given : undefined))
      const join = (l: number, more: tf.Tensor): void => {
        known[l] = known[l] === undefined ? more : tf.concat([known[l]!, more], 1)
      }
      const read = (l: number, from: number, units: number): tf.Tensor => {
        const { kernel, bias } = own[l]!
        const below = known[l]
        const offset = tf.slice(bias, [from], [units])
        if (below === undefined) return tf.tile(tf.reshape(offset, [1, units]), [examples, 1])
        const part = tf.slice(kernel, [0, from], [below.shape[1]!, units])
        return tf.add(tf.matMul(below as tf.Tensor2D, part), offset)
      }
      const grow = (degree: number): void =>
        hidden.forEach((_, l) => {
          const own = layers[l + 1]!
          const units = own.filter((d) => d === degree).length
          if (units > 0) join(l + 1, act(read(l, own.indexOf(degree), units)))
        })
      grow(0)
      for (const i of numbers) {
        const row = tf.reshape(read(last, (i - 1) * width, width), [examples, 1, width])
        join(0, solve(row, i - 1))
        if (i < variables) grow(i)
      }
      const all = known[0]!
      return context === 0 ? all : tf.slice(all, [0, context], [examples, variables])
    },
  }
}
