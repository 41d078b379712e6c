/**
 * Gathers batch norms of images in training, and their gradients, as one call each. Kernels for them take two or three
 * passes over memory, where the operations that TensorFlow.js makes of them take a dozen.
 *
 *     y  = x ⊙ slope + (β − mean ⊙ slope),  slope = γ ⊙ rstd,  rstd = 1/√(variance + ε)
 *     dx = dy ⊙ slope + 2 (x − mean) ⊙ spread + shift
 *
 * The pass brings in kernels that TensorFlow.js does not have, so only a backend that knows them runs it.
 *
 * @module
 */
import { callOf, isCall } from '../call.js'
import { isOverChannels } from '../operations.js'
import { type Program, sizeOf } from '../program.js'
import type { Build } from '../rebuild.js'
import { any, as, number, op, type Pattern, type Rule, rewrite, rule } from '../rewrite.js'
import { centred, variance } from './batch-statistics.js'

/** Whether a value is a reduction of an image to its channels. */
const isPerChannel = ({ maker, shape }: Build, v: number): boolean => {
  const call = maker(v)
  return (
    isCall(call, 'Mean', 'Sum') && shape(call.inputs[0]!).length === 4 && isOverChannels(call, shape(call.inputs[0]!))
  )
}

const [x, dy] = [any('x'), any('dy')]
const gain = any('gain', ({ shape }, v) => shape(v).length === 1)
const rstd = as('rstd', op('Rsqrt', op('Add', variance, number('epsilon'))), (build, _, { mean, variance }) =>
  [mean!, variance!].every((v) => isPerChannel(build, v)),
)
const slope = as('slope', op('Multiply', rstd, gain))

const norm = rule(
  'Add',
  [op('Multiply', slope, x), op('Sub', any('bias'), op('Multiply', any('mean'), slope))],
  ({ x, gain, bias, mean, variance, epsilon }, build, { outputs: [y] }) => {
    const { info, shape, data, value, constant, emit, place, replace } = build
    const vector = info(mean)
    const [batchMean, unbiased, ...reserved] = Array.from({ length: 5 }, () => value(vector)) as [number, number]
    const results = [y!, batchMean, unbiased, ...reserved]
    place(callOf('BatchNorm', [x, gain, bias], results, { epsilon: data(epsilon)![0]! }))
    const count = sizeOf(shape(x)) / vector.shape[0]!
    const factor = constant({ shape: [], dtype: 'float32' }, [(count - 1) / count])
    replace(mean, batchMean)
    replace(variance, emit('Multiply', [unbiased, factor], vector))
    return y
  },
)

const minus = as('minus', op('Neg', as('sum', op('Sum', dy), isPerChannel)))
/** The mean that the norm returns, which has replaced the one that its slope is made of. */
const batchMean = any('batchMean', ({ made }, v) => made(v, 'BatchNorm') !== undefined)
const dot = as('dot', op('Sum', op('Multiply', dy, x)), isPerChannel)
const inner = as('inner', op('Add', op('Multiply', minus, batchMean), dot))
const cube = op('Multiply', op('Square', rstd), rstd)
const half = number('half', (c) => c === -0.5)
const share = number('share')
const spread = op(
  'Reshape',
  op('Multiply', op('Multiply', op('Multiply', inner, gain), op('Multiply', cube, half)), share),
)
const shift = op('Reshape', op('Multiply', op('Multiply', minus, slope), share))
const two = number('two', (c) => c === 2)
const deviation = op('Multiply', spread, op('Multiply', centred, two))
const scaled = op('Multiply', slope, dy)

/** The gradient by x, where the first term is dy ⊙ slope, or that and what else depends on x. */
const gradient = <N extends string>(
  first: Pattern<N>,
  restOf: (found: Readonly<Record<N, number>>) => number | undefined,
) =>
  rule('Add', [op('Add', first, deviation), shift], (found, build, { outputs }) => {
    const { x, gain, dy, share, sum, inner, rstd, batchMean } = found
    const { info, shape, data, made, value, place, readers, replace } = build
    const norm = made(batchMean, 'BatchNorm')!
    const isOfNorm = norm.inputs[0] === x && norm.inputs[1] === gain && norm.outputs[1] === batchMean
    // over batch and positions
    const isMean = data(share)![0] === Math.fround(shape(x)[3]! / sizeOf(shape(x)))
    if (!isOfNorm || !isMean) return undefined
    const rest = restOf(found)
    const dx = rest === undefined ? outputs[0]! : value(info(x))
    const [dGain, dBias] = [value(info(gain)), value(info(gain))]
    place(callOf('BatchNormGrad', [dy, x, gain, ...norm.outputs.slice(3)], [dx, dGain, dBias], norm.attrs))
    replace(sum, dBias)
    for (const { kernel, inputs, outputs: product } of readers(inner))
      if (kernel === 'Multiply' && inputs.includes(rstd)) replace(product[0]!, dGain)
    return rest === undefined ? dx : { kernel: 'Add', inputs: [rest, dx] }
  })

const rules: readonly Rule[] = [
  norm,
  gradient(scaled, () => undefined),
  gradient(op('Add', any('rest'), scaled), ({ rest }) => rest),
]

/** The program with batch norms and their gradients gathered. */
export const gatherBatchNorms = (program: Program): Program => rewrite(program, rules)
