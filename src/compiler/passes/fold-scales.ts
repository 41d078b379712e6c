/**
 * Moves the scale of a normalisation into the filter and the bias before it:
 *
 *     s ⊙ conv(x, w)       = conv(x, s ⊙ w)
 *     s ⊙ (conv(x, w) + b) = conv(x, s ⊙ w) + s ⊙ b
 *     (conv(x, w) + b) + c = conv(x, w) + (b + c)
 *
 * for vectors s, b, c over the channels of the result, where nothing else reads the convolution or its sum with b. So s
 * does not depend on them, as it does while a batch norm is trained. Where parameters are steady, the filter is computed
 * once.
 *
 * @module
 */
import { isByChannel, type Program } from '../program.js'
import type { Build } from '../rebuild.js'
import { any, as, once, op, type Pattern, type Rule, rewrite, rule } from '../rewrite.js'

const vector = <N extends string>(name: N): Pattern<N> =>
  any(name, ({ shape }, v, found) => shape(v).length === 1 && isByChannel(shape(v), shape(found['conv']!)))

const conv = as('conv', op('Conv2D', any('x'), any('w')))
const biased = <N extends string>(image: Pattern<N>) => once(op('Add', image, vector('b')))

/** The convolution with its filter multiplied by s. */
const scaled = ({ emit, info, made }: Build, conv: number, x: number, w: number, s: number) => ({
  kernel: 'Conv2D' as const,
  inputs: [x, emit('Multiply', [w, s], info(w))],
  attrs: made(conv, 'Conv2D')!.attrs,
})

const rules: readonly Rule[] = [
  rule('Multiply', [once(conv), vector('s')], ({ conv, x, w, s }, build) => scaled(build, conv, x, w, s)),
  rule('Multiply', [biased(once(conv)), vector('s')], ({ conv, x, w, b, s }, build) => {
    const { emit, info } = build
    const { kernel, inputs, attrs } = scaled(build, conv, x, w, s)
    const image = emit(kernel, inputs, info(conv), attrs)
    return { kernel: 'Add', inputs: [image, emit('Multiply', [b, s], info(s))] }
  }),
  rule('Add', [biased(conv), vector('c')], ({ conv, b, c }, { emit, info }) => ({
    kernel: 'Add',
    inputs: [conv, emit('Add', [b, c], info(c))],
  })),
]

/** The program with scales folded into filters, and biases into one another. */
export const foldScales = (program: Program): Program => rewrite(program, rules)
