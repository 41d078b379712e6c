/**
 * Rules for `simplify.ts` about constants, and about values that are one number throughout, as the gradient of a mean is.
 * One of them, that 0·x = 0, is wrong for values that are not finite.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { arithmetic, type Call, type Kernel } from '../call.js'
import { fromElements, readably, runCall } from '../evaluate.js'
import { ALL_REDUCE } from '../operations.js'
import { sameShape, sizeOf, type ValueInfo } from '../program.js'
import type { Build } from '../rebuild.js'
import { any, rule, uniform } from '../rewrite.js'

export const pointwise = [
  ...(['Exp', 'Log', 'Tanh', 'Sigmoid', 'Relu', 'Square', 'Sqrt', 'Rsqrt', 'Reciprocal', 'Abs'] as const),
  ...(['Neg', 'Sign', 'Step', 'Floor', 'Softplus', 'Log1p', 'Expm1'] as const),
]

const movements: readonly Kernel[] = ['Reshape', 'ExpandDims', 'Transpose', 'Slice', 'Tile']

/** A value of one number throughout. */
export const fill = ({ emit }: Build, info: ValueInfo, value: number): number =>
  emit('Fill', [], info, { shape: [...info.shape], value, dtype: info.dtype })

/** The elements that a call returns for these inputs. */
const evaluate = (call: Call, inputs: () => readonly tf.Tensor[]): Float32Array =>
  readably(() => tf.tidy(() => runCall(call, inputs())[0]!.dataSync<'float32'>()))

/** f(c, c, …) = f(c), repeated; a sum of c is a multiple of it. Calls of constants alone are left to {@link folded}. */
export const spread = rule(
  [...movements, 'Mean', 'Sum', ...arithmetic, ...pointwise],
  [any('x', (build, v) => uniform(build, v) !== undefined)],
  (_, build, call) => {
    const { kernel, inputs, outputs } = call
    const info = build.info(outputs[0]!)
    const numbers = inputs.map((v) => uniform(build, v))
    if (info.dtype !== 'float32' || inputs.every((v) => build.data(v) !== undefined)) return undefined
    const first = numbers[0]!
    if (movements.includes(kernel) || kernel === 'Mean') return fill(build, info, first)
    if (kernel === 'Sum')
      return fill(build, info, Math.fround((first * sizeOf(build.shape(inputs[0]!))) / sizeOf(info.shape)))
    if (numbers.includes(undefined)) return undefined
    const [value] = evaluate(call, () => numbers.map((c) => tf.scalar(c!)))
    return fill(build, info, value!)
  },
)

/** An operation that broadcasts needs one number once. */
export const narrow = rule(arithmetic, [], (_, build, { kernel, inputs, attrs, outputs }) => {
  const { info, shape, maker, emit } = build
  const out = info(outputs[0]!)
  const i = inputs.findIndex((v, at) => maker(v)?.kernel === 'Fill' && sameShape(shape(inputs[1 - at]!), out.shape))
  if (i < 0) return undefined
  const number = fill(build, { ...info(inputs[i]!), shape: [] }, uniform(build, inputs[i]!)!)
  return emit(kernel, inputs.with(i, number), out, attrs)
})

/** 0·x = 0. */
export const vanishing = rule(
  'Multiply',
  [any('zero', (build, v) => uniform(build, v) === 0), any('x')],
  (_, build, { outputs }) => fill(build, build.info(outputs[0]!), 0),
)

/** Large constants of one value stay calls of `Fill`. */
export const filled = rule(['ZerosLike', 'OnesLike'], [], (_, build, { kernel, outputs }) =>
  fill(build, build.info(outputs[0]!), kernel === 'OnesLike' ? 1 : 0),
)

/** Larger results are left to the backend: a program should not carry them. */
const LARGEST_FOLDED = 65_536

/** A call of constants is a constant. */
export const folded = rule(undefined, [], (_, { info, data, settle }, call) => {
  const { kernel, inputs, outputs } = call
  const [v] = outputs as readonly [number]
  const size = sizeOf(info(v).shape)
  if (kernel === 'Fill' ? size !== 1 : size > LARGEST_FOLDED || inputs.length === 0) return undefined
  if (kernel === ALL_REDUCE || outputs.length > 1 || inputs.some((u) => data(u) === undefined)) return undefined
  return settle(
    v,
    evaluate(call, () => inputs.map((u) => fromElements(data(u)!, info(u)))),
  )
})
