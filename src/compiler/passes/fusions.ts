/**
 * Gathers what TensorFlow has one operation for, and TensorFlow.js several:
 *
 * - a bias: x + b over the last axis of an image or a matrix is a `BiasAdd`, which a convolution or a product before it
 *   computes on the way
 * - the gradient of a bias: a sum of an image by channel, or of a matrix by column, is a `BiasAddGrad`
 * - the gradient of a ReLU: dy · step(x) is a `ReluGrad`
 * - x ⊙ a + b with vectors over the channels of an image is a `ScaleShift`
 * - a + b + c + … of images or matrices of one shape is an `AddN`
 *
 * @module
 */
import { isOverChannels } from '../operations.js'
import { isByChannel, type Program, sameShape } from '../program.js'
import type { Build } from '../rebuild.js'
import { alike, any, as, once, op, type Pattern, type Rule, rewrite, rule } from '../rewrite.js'
import { sumRule } from './sums.js'

const isLarge = ({ info }: Build, v: number): boolean =>
  [2, 4].includes(info(v).shape.length) && info(v).dtype === 'float32'
const large = <N extends string>(name: N): Pattern<N> => any(name, isLarge)
const image = <N extends string>(name: N): Pattern<N> =>
  any(name, (build, v) => isLarge(build, v) && build.shape(v).length === 4)
const byChannel = <N extends string>(name: N, of: string): Pattern<N> =>
  any(name, ({ shape }, v, found) => isByChannel(shape(v), shape(found[of]!)))

/** One number for each channel as a vector. */
const vector = ({ info, emit }: Build, v: number): number => {
  const { shape, dtype } = info(v)
  const flat = shape.slice(-1)
  return shape.length === 1 ? v : emit('Reshape', [v], { shape: flat, dtype }, { shape: flat })
}

const rules: readonly Rule[] = [
  rule('Multiply', [large('dy'), as('mask', op('Step', alike('x', 'dy')))], ({ dy, x, mask }, { made }) =>
    made(mask, 'Step')!.attrs.alpha !== 0 ? undefined : { kernel: 'ReluGrad', inputs: [dy, x] },
  ),
  rule('Sum', [large('dy')], ({ dy }, { shape }, call) =>
    isOverChannels(call, shape(dy)) ? { kernel: 'BiasAddGrad', inputs: [dy] } : undefined,
  ),
  rule('Add', [once(op('Multiply', image('x'), byChannel('a', 'x'))), byChannel('b', 'x')], ({ x, a, b }, build) => ({
    kernel: 'ScaleShift',
    inputs: [x, vector(build, a), vector(build, b)],
  })),
  rule('Add', [large('x'), byChannel('b', 'x')], ({ x, b }, build) => ({
    kernel: 'BiasAdd',
    inputs: [x, vector(build, b)],
  })),
  sumRule(2, (build, { inputs, outputs }) =>
    inputs.every((v) => isLarge(build, v) && sameShape(build.shape(v), build.shape(outputs[0]!))),
  ),
]

/** The program with these operations. */
export const fuse = (program: Program): Program => rewrite(program, rules)
