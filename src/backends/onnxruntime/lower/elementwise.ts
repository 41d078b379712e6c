/**
 * Elementwise kernels as ONNX operators. Their results have the layout of their operands.
 *
 * @module
 */
import type { CallOf, Kernel, ProgramType } from '../../../compiler/call.js'
import type { Graph } from '../graph.js'
import type { Layout, Names } from '../layout.js'

/** What the lowering of one call works with. */
export interface Context<K extends Kernel = Kernel> {
  readonly graph: Graph
  readonly names: Names
  readonly call: CallOf<K>
  /** An operand as the operation wants it. */
  readonly operand: (i: number) => string
  /** A scalar constant of type float32. */
  readonly real: (value: number) => string
  readonly layout: Layout
  /** Whether only operators of ONNX itself will do. */
  readonly portable: boolean
}

/** Returns the names of the outputs, in the layout of the context. */
export type Lower<K extends Kernel = Kernel> = (context: Context<K>) => string | readonly string[]

/** Lowerings by kernel. */
export type Lowerings = { readonly [K in Kernel]?: Lower<K> }

const op =
  (name: string): Lower =>
  ({ graph, call, operand }) =>
    graph.node(
      name,
      call.inputs.map((_, i) => operand(i)),
    )

/** A composition, from a function that makes nodes. */
const made =
  <K extends Kernel = Kernel>(
    f: (node: (op: string, ...inputs: string[]) => string, context: Context<K>) => string,
  ): Lower<K> =>
  (context) =>
    f((name, ...inputs) => context.graph.node(name, inputs), context)

/** `log(1 + x)`: by the inverse hyperbolic tangent where 1 + x would round x away. */
const log1p = made((node, { operand, real }) => {
  const x = operand(0)
  const near = node('Mul', node('Atanh', node('Div', x, node('Add', x, real(2)))), real(2))
  return node('Where', node('Less', node('Abs', x), real(0.5)), near, node('Log', node('Add', x, real(1))))
})

/** `eˣ − 1 = tanh(x/2)·(eˣ + 1)`, which loses nothing near 0. */
const expm1 = made((node, { operand, real }) => {
  const x = operand(0)
  return node('Mul', node('Tanh', node('Mul', x, real(0.5))), node('Add', node('Exp', x), real(1)))
})

/** `1 / (1 + e⁻ˣ)`: ONNX Runtime's own operator has an absolute error of 10⁻⁸, and is 0 below −17. */
const sigmoid = made((node, { operand, real }) =>
  node('Reciprocal', node('Add', node('Exp', node('Neg', operand(0))), real(1))),
)

/** x above 0 and eˣ − 1 below. ONNX Runtime's own operator subtracts 1 and has no digits left near 0. */
const elu: Lower = (context) => {
  const { graph, operand, real } = context
  const x = operand(0)
  const below = expm1(context) as string
  return graph.node('Where', [graph.node('Greater', [x, real(0)]), x, below])
}

/** 1 above 0 and α below. HardSigmoid with a steep slope is the fastest way to a mask that there is. */
const step: Lower<'Step'> = ({ graph, operand, real, call }) => {
  const mask = graph.node('HardSigmoid', [operand(0)], { attrs: { alpha: { real: 1e38 }, beta: { real: 0 } } })
  const { alpha } = call.attrs
  return alpha === 0 ? mask : graph.node('Add', [graph.node('Mul', [mask, real(1 - alpha)]), real(alpha)])
}

export const types: Readonly<Record<ProgramType, number>> = { float32: 1, int32: 6, bool: 9 }

/** By kernel. */
export const pointwise: Lowerings = {
  Add: op('Add'),
  Sub: op('Sub'),
  Multiply: op('Mul'),
  RealDiv: op('Div'),
  Maximum: op('Max'),
  Minimum: op('Min'),
  Pow: op('Pow'),
  Greater: op('Greater'),
  GreaterEqual: op('GreaterOrEqual'),
  Less: op('Less'),
  LessEqual: op('LessOrEqual'),
  Equal: op('Equal'),
  NotEqual: made((node, { operand }) => node('Not', node('Equal', operand(0), operand(1)))),
  LogicalAnd: op('And'),
  LogicalOr: op('Or'),
  LogicalNot: op('Not'),
  SquaredDifference: made((node, { operand }) => {
    const d = node('Sub', operand(0), operand(1))
    return node('Mul', d, d)
  }),
  Select: op('Where'),
  Exp: op('Exp'),
  Expm1: expm1,
  Log: op('Log'),
  Log1p: log1p,
  Tanh: op('Tanh'),
  Sigmoid: sigmoid,
  Softplus: op('Softplus'),
  Relu: op('Relu'),
  Relu6: made((node, { operand, real }) => node('Min', node('Relu', operand(0)), real(6))),
  LeakyRelu: ({ graph, operand, call }) =>
    graph.node('LeakyRelu', [operand(0)], { attrs: { alpha: { real: call.attrs.alpha } } }),
  Elu: elu,
  Erf: op('Erf'),
  Square: made((node, { operand }) => node('Mul', operand(0), operand(0))),
  Sqrt: op('Sqrt'),
  Rsqrt: made((node, { operand }) => node('Reciprocal', node('Sqrt', operand(0)))),
  Reciprocal: op('Reciprocal'),
  Abs: op('Abs'),
  Neg: op('Neg'),
  Sin: op('Sin'),
  Cos: op('Cos'),
  Atan: op('Atan'),
  Sign: op('Sign'),
  Step: step,
  Floor: op('Floor'),
  Ceil: op('Ceil'),
  Round: op('Round'),
  IsNan: op('IsNaN'),
  IsInf: op('IsInf'),
  IsFinite: made((node, { operand, real }) => node('Equal', node('Sub', operand(0), operand(0)), real(0))),
  Identity: op('Identity'),
  AddN: op('Sum'),
  Cast: ({ graph, operand, call }) => graph.node('Cast', [operand(0)], { attrs: { to: types[call.attrs.dtype] } }),
  ClipByValue: made<'ClipByValue'>((node, { operand, real, call }) =>
    node('Min', node('Max', operand(0), real(call.attrs.clipValueMin)), real(call.attrs.clipValueMax)),
  ),
}
