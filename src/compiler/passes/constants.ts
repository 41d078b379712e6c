/**
 * Rules for `passes.ts` of values that are one number throughout. The gradient of a mean is such a value, and what is
 * made of it by the same steps for each element.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { readably, runCall } from '../evaluate.js'
import { sizeOf } from '../program.js'
import { fill, type Rule, same, shapeOf, uniform } from '../rewrite.js'

export const pairwise = new Set(['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Pow'])

export const pointwise = new Set(
  'Exp Log Tanh Sigmoid Relu Square Sqrt Rsqrt Reciprocal Abs Neg Sign Step Floor Softplus Log1p Expm1'.split(' '),
)

const moving = new Set(['Reshape', 'ExpandDims', 'Transpose', 'Slice', 'Tile'])

/** f(c, c, …) = f(c), repeated; a sum of c is a multiple of it. What has its numbers at hand is left to be folded. */
export const spread: Rule = (walk, call) => {
  const { kernel, inputs, outputs } = call
  const info = walk.values[outputs[0]!]!
  const known = inputs.map((v) => uniform(walk, v))
  const [first] = known
  if (info.dtype !== 'float32' || first === undefined || inputs.every((v) => walk.constants.has(v))) return undefined
  if (moving.has(kernel) || kernel === 'Mean') return fill(walk, info, first)
  if (kernel === 'Sum')
    return fill(walk, info, Math.fround((first * sizeOf(shapeOf(walk, inputs[0]!))) / sizeOf(info.shape)))
  if ((!pairwise.has(kernel) && !pointwise.has(kernel)) || known.includes(undefined)) return undefined
  const [value] = readably(() =>
    tf.tidy(() =>
      runCall(
        call,
        known.map((c) => tf.scalar(c!)),
      )[0]!.dataSync(),
    ),
  )
  return fill(walk, info, value!)
}

/** One number need not be repeated for an operation that repeats by itself. */
export const narrow: Rule = (walk, { kernel, inputs, attrs, outputs }) => {
  if (!pairwise.has(kernel)) return undefined
  const info = walk.values[outputs[0]!]!
  const repeated = (v: number): boolean => walk.makers.get(v)?.kernel === 'Fill'
  const i = inputs.findIndex((v, at) => repeated(v) && same(shapeOf(walk, inputs[1 - at]!), info.shape))
  if (i < 0) return undefined
  const number = fill(walk, { ...walk.values[inputs[i]!]!, shape: [] }, uniform(walk, inputs[i]!)!)
  return walk.add(kernel, inputs.with(i, number), attrs, info)
}

/** 0·x = 0, where x is of the same shape or smaller. */
export const vanishing: Rule = (walk, { kernel, inputs: [a, b], outputs }) => {
  if (kernel !== 'Multiply' || (uniform(walk, a!) !== 0 && uniform(walk, b!) !== 0)) return undefined
  return fill(walk, walk.values[outputs[0]!]!, 0)
}

/** A constant that can be told by a rule need not be stored: large ones of one value stay calls of `Fill`. */
export const filled: Rule = (walk, { kernel, outputs }) =>
  kernel === 'ZerosLike' || kernel === 'OnesLike'
    ? fill(walk, walk.values[outputs[0]!]!, kernel === 'OnesLike' ? 1 : 0)
    : undefined
