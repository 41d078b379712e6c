/**
 * Gathers dense layers as one call, which the runtime's product of matrices computes in one pass:
 *
 *     y = act(op(A)·op(B) + c),    op(X) = X or Xᵀ, act = identity or ReLU
 *
 * for matrices A and B and a vector c over the columns. A sum with such a vector takes in a product that nothing else
 * reads, and a ReLU takes in such a sum.
 *
 * @module
 */
import { isByChannel, type Program } from '../program.js'
import { any, as, once, op, type Rule, rewrite, rule } from '../rewrite.js'

const product = as('product', once(op('BatchMatMul', any('a'), any('b'))), ({ shape }, v) => shape(v).length === 2)
const bias = any('c', ({ shape }, v, { product }) => shape(v).length <= 2 && isByChannel(shape(v), shape(product!)))

const rules: readonly Rule[] = [
  rule('Add', [product, bias], ({ product, a, b, c }, { made }) => ({
    kernel: 'Dense',
    inputs: [a, b, c],
    attrs: { ...made(product, 'BatchMatMul')!.attrs, relu: false },
  })),
  rule('Relu', [once(as('sum', op('Dense')))], ({ sum }, { made }) => {
    const { kernel, inputs, attrs } = made(sum, 'Dense')!
    return attrs.relu ? undefined : { kernel, inputs, attrs: { ...attrs, relu: true } }
  }),
]

/** The program with products, biases and activations gathered as calls of `Dense`. */
export const gatherDense = (program: Program): Program => rewrite(program, rules)
