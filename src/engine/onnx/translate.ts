/**
 * Programs as ONNX graphs. One function for each kind of kernel; layouts are chosen value by value, as `layout.ts` says.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { DiffeoException, engineError } from '../../error.js'
import { type Call, type Program, sizeOf } from '../program.js'
import { affineOf, gatherAffine } from './affine.js'
import {
  convolveBlocked,
  dotBlocked,
  filterGradientBlocked,
  poolBlocked,
  scaleBlocked,
  suits,
  suitsFilterGradient,
} from './blocked.js'
import { convolve, filterGradient, inputGradient, ints } from './convolution.js'
import { arranged, axisIn, type Layout, type Names, names } from './layout.js'
import { type Graph, graph, MICROSOFT } from './model.js'

/** What a translation of one call works with. */
interface Context {
  readonly graph: Graph
  readonly names: Names
  readonly call: Call
  /** An operand as the operation wants it. */
  readonly operand: (i: number) => string
  /** A scalar constant of type float32. */
  readonly real: (value: number) => string
  readonly layout: Layout
  /** Whether only operators of ONNX itself will do. */
  readonly portable: boolean
}

/** What {@link convolveBlocked} translates. */
const convolutions = new Set(['Conv2D', 'Conv2DBackpropInput'])

/** Answers the names of the outputs, in the layout of the context. */
type Translate = (context: Context) => string | readonly string[]

// -------------------------------------------------------------------------------------
// element by element
// -------------------------------------------------------------------------------------

const op =
  (name: string): Translate =>
  ({ graph, call, operand }) =>
    graph.node(
      name,
      call.inputs.map((_, i) => operand(i)),
    )

/** A composition, from a function that makes nodes. */
const made =
  (f: (node: (op: string, ...inputs: string[]) => string, context: Context) => string): Translate =>
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

/** 1 above 0 and α below. HardSigmoid with a steep slope is the fastest way to a mask that there is. */
const step: Translate = ({ graph, operand, real, call }) => {
  const mask = graph.node('HardSigmoid', [operand(0)], { attrs: { alpha: { real: 1e38 }, beta: { real: 0 } } })
  const alpha = (call.attrs['alpha'] as number | undefined) ?? 0
  return alpha === 0 ? mask : graph.node('Add', [graph.node('Mul', [mask, real(1 - alpha)]), real(alpha)])
}

const withAlpha =
  (name: string): Translate =>
  ({ graph, operand, call }) =>
    graph.node(name, [operand(0)], { attrs: { alpha: { real: (call.attrs['alpha'] as number | undefined) ?? 1 } } })

const types: Readonly<Record<string, number>> = { float32: 1, int32: 6, bool: 9 }

const pointwise: Readonly<Record<string, Translate>> = {
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
  Sigmoid: op('Sigmoid'),
  Softplus: op('Softplus'),
  Relu: op('Relu'),
  Relu6: made((node, { operand, real }) => node('Min', node('Relu', operand(0)), real(6))),
  LeakyRelu: withAlpha('LeakyRelu'),
  Elu: withAlpha('Elu'),
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
  Cast: ({ graph, operand, call }) =>
    graph.node('Cast', [operand(0)], { attrs: { to: types[call.attrs['dtype'] as string]! } }),
  ClipByValue: made((node, { operand, real, call }) =>
    node(
      'Min',
      node('Max', operand(0), real(call.attrs['clipValueMin'] as number)),
      real(call.attrs['clipValueMax'] as number),
    ),
  ),
}

// -------------------------------------------------------------------------------------
// axis by axis
// -------------------------------------------------------------------------------------

/** What is moved from place to place within an image needs it unblocked. */
const elementwiseOnly = (names: Names, inputs: readonly number[], rank: number): Layout => {
  const images = inputs.filter((v) => names.info(v).shape.length === 4)
  const alike = images.every((v) => names.info(v).shape.join() === names.info(images[0]!).shape.join())
  const others = inputs.every((v) => names.info(v).shape.length === 4 || sizeOf(names.info(v).shape) === 1)
  return rank === 4 && alike && others && images.some((v) => names.has(v, 'blocked'))
    ? 'blocked'
    : chooseLayout(names, inputs, rank)
}

/** The rank-4 operand decides; a constant fits either. */
const chooseLayout = (names: Names, inputs: readonly number[], rank: number): Layout =>
  rank === 4 &&
  inputs.some(
    (v) =>
      names.info(v).shape.length === 4 &&
      names.constant(v) === undefined &&
      (names.has(v, 'first') || names.has(v, 'blocked')),
  )
    ? 'first'
    : 'last'

const axesOf = (axis: unknown, rank: number): readonly number[] =>
  tf.util.parseAxisParam(
    (axis ?? null) as number,
    Array.from({ length: rank }, () => 1),
  )

/** A translation that answers in the layout of its first operand, and is told where an axis lies there. */
const alongAxes =
  (
    f: (
      context: Context & { readonly at: (axis: number) => number; readonly shape: readonly number[] },
    ) => string | readonly string[],
  ): Translate =>
  (context) => {
    const { names, call, layout } = context
    const shape = arranged(names.info(call.inputs[0]!).shape, layout)
    return f({ ...context, shape, at: (axis) => axisIn(axis, layout) })
  }

const perAxis = (layout: Layout, values: readonly number[]): readonly number[] => arranged(values, layout)

const moving: Readonly<Record<string, Translate>> = {
  Slice: alongAxes(({ graph, operand, call, layout, names }) => {
    const like = { shape: [...names.info(call.inputs[0]!).shape], rank: names.info(call.inputs[0]!).shape.length }
    const [begin, size] = tf.slice_util.parseSliceParams(
      like as unknown as tf.Tensor,
      call.attrs['begin'] as number[],
      call.attrs['size'] as number[],
    ) as [number[], number[]]
    const cut = begin.flatMap((from, i) => (from === 0 && size[i] === like.shape[i] ? [] : [i]))
    const axes = cut.map((i) => axisIn(i, layout))
    return graph.node('Slice', [
      operand(0),
      ints(
        graph,
        cut.map((i) => begin[i]!),
      ),
      ints(
        graph,
        cut.map((i) => begin[i]! + size[i]!),
      ),
      ints(graph, axes),
    ])
  }),
  Concat: alongAxes(({ graph, operand, call, at, shape }) => {
    const axis = at(axesOf(call.attrs['axis'], shape.length)[0]!)
    return graph.node(
      'Concat',
      call.inputs.map((_, i) => operand(i)),
      { attrs: { axis } },
    )
  }),
  SplitV: alongAxes(({ graph, operand, call, at, shape, names }) => {
    const axis = axesOf(call.attrs['axis'], shape.length)[0]!
    const sizes = call.outputs.map((v) => names.info(v).shape[axis]!)
    return graph.nodes('Split', [operand(0), ints(graph, sizes)], sizes.length, { attrs: { axis: at(axis) } })
  }),
  PadV2: alongAxes(({ graph, operand, call, layout, real }) => {
    const paddings = call.attrs['paddings'] as number[][]
    const side = (i: 0 | 1) =>
      perAxis(
        layout,
        paddings.map((p) => p[i]!),
      )
    const value = (call.attrs['constantValue'] as number | undefined) ?? 0
    return graph.node('Pad', [operand(0), ints(graph, [...side(0), ...side(1)]), real(value)])
  }),
  Tile: alongAxes(({ graph, operand, call, layout }) =>
    graph.node('Tile', [operand(0), ints(graph, perAxis(layout, call.attrs['reps'] as number[]))]),
  ),
  Reverse: alongAxes(({ graph, operand, call, at, shape }) => {
    const axes = axesOf(call.attrs['dims'], shape.length).map(at)
    const all = (n: number) =>
      ints(
        graph,
        axes.map(() => n),
      )
    return axes.length === 0
      ? graph.node('Identity', [operand(0)])
      : graph.node('Slice', [operand(0), all(-1), all(-(2 ** 31)), ints(graph, axes), all(-1)])
  }),
  Cumsum: alongAxes(({ graph, operand, call, at, shape }) => {
    const { axis, exclusive, reverse } = call.attrs
    const where = graph.constant('int64', [], [at(axesOf(axis, shape.length)[0]!)])
    return graph.node('CumSum', [operand(0), where], {
      attrs: { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 },
    })
  }),
}

const lastAxis =
  (name: string, axisName: string): Translate =>
  ({ graph, names, call }) =>
    graph.node(name, [names.get(call.inputs[0]!, 'last')], {
      attrs: { axis: (call.attrs[axisName] as number | undefined) ?? -1 },
    })

// -------------------------------------------------------------------------------------
// form
// -------------------------------------------------------------------------------------

const plain = ({ names, call }: Context, i: number): string => names.get(call.inputs[i]!, 'last')

const outputShape = ({ names, call }: Context): readonly number[] => names.info(call.outputs[0]!).shape

const toOutputShape: Translate = (context) =>
  context.graph.node('Reshape', [plain(context, 0), ints(context.graph, outputShape(context))])

const products: Translate = (context) => {
  const { transposeA, transposeB } = context.call.attrs
  const inputs = [plain(context, 0), plain(context, 1)]
  if (!transposeA && !transposeB) return context.graph.node('MatMul', inputs)
  if (context.portable) {
    const swapped = inputs.map((x, i) => {
      const rank = context.names.info(context.call.inputs[i]!).shape.length
      const perm = Array.from({ length: rank }, (_, axis) => axis)
        .with(-1, rank - 2)
        .with(-2, rank - 1)
      return (i === 0 ? transposeA : transposeB) ? context.graph.node('Transpose', [x], { attrs: { perm } }) : x
    })
    return context.graph.node('MatMul', swapped)
  }
  const attrs = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }
  return context.graph.node('FusedMatMul', inputs, { domain: MICROSOFT, attrs })
}

const forms: Readonly<Record<string, Translate>> = {
  Reshape: toOutputShape,
  ExpandDims: toOutputShape,
  Transpose: (context) =>
    context.graph.node('Transpose', [plain(context, 0)], { attrs: { perm: context.call.attrs['perm'] as number[] } }),
  Fill: (context) => {
    const { names, call, graph } = context
    const { dtype } = names.info(call.outputs[0]!)
    const one = graph.constant(dtype, [], [call.attrs['value'] as number])
    return graph.node('Expand', [one, graph.shape(outputShape(context))])
  },
  Pack: (context) => {
    const { graph, call } = context
    const axis = call.attrs['axis'] as number
    const wide = outputShape(context).with(axis, 1)
    const parts = call.inputs.map((_, i) => graph.node('Reshape', [plain(context, i), ints(graph, wide)]))
    return graph.node('Concat', parts, { attrs: { axis } })
  },
  Unpack: (context) => {
    const { graph, call, names } = context
    const { shape } = names.info(call.inputs[0]!)
    const axis = axesOf(call.attrs['axis'], shape.length)[0]!
    const ones = ints(
      graph,
      call.outputs.map(() => 1),
    )
    const parts = graph.nodes('Split', [plain(context, 0), ones], call.outputs.length, { attrs: { axis } })
    return parts.map((part) => graph.node('Reshape', [part, ints(graph, outputShape(context))]))
  },
  DepthToSpace: (context) => {
    const { graph, call, names } = context
    const [n, h, w, c] = names.info(call.inputs[0]!).shape as [number, number, number, number]
    const k = call.attrs['blockSize'] as number
    const squares = graph.node('Reshape', [plain(context, 0), ints(graph, [n, h, w, k, k, c / (k * k)])])
    const moved = graph.node('Transpose', [squares], { attrs: { perm: [0, 1, 3, 2, 4, 5] } })
    return graph.node('Reshape', [moved, ints(graph, outputShape(context))])
  },
  GatherV2: (context) =>
    context.graph.node('Gather', [plain(context, 0), plain(context, 1)], {
      attrs: { axis: (context.call.attrs['axis'] as number | undefined) ?? 0 },
    }),
  OneHot: (context) => {
    const { depth, onValue = 1, offValue = 0 } = context.call.attrs as Record<string, number>
    const { dtype } = context.names.info(context.call.outputs[0]!)
    const values = context.graph.constant(dtype, [2], [offValue, onValue])
    const size = context.graph.constant('int64', [], [depth!])
    return context.graph.node('OneHot', [plain(context, 0), size, values], { attrs: { axis: -1 } })
  },
  BatchMatMul: products,
  Softmax: lastAxis('Softmax', 'dim'),
  LogSoftmax: lastAxis('LogSoftmax', 'axis'),
}

// -------------------------------------------------------------------------------------
// reductions
// -------------------------------------------------------------------------------------

const reductions: Readonly<Record<string, string>> = {
  Sum: 'ReduceSum',
  Mean: 'ReduceMean',
  Max: 'ReduceMax',
  Min: 'ReduceMin',
}

/** A reduction; the layout it answers in is that of its operand, if what is left lies alike in both. */
const reduce = (graph: Graph, names: Names, { kernel, inputs, attrs, outputs }: Call): void => {
  const x = inputs[0]!
  const { shape } = names.info(x)
  const axes = axesOf(attrs[kernel === 'Max' ? 'reductionIndices' : 'axis'], shape.length)
  const keep = attrs['keepDims'] === true
  const rest = shape.map((_, i) => i).filter((i) => !axes.includes(i))
  if (names.has(x, 'blocked') && !keep && axes.join() === '0,1,2' && (kernel === 'Sum' || kernel === 'Mean')) {
    names.set(outputs[0]!, 'last', poolBlocked(graph, names.get(x, 'blocked'), shape, kernel === 'Mean'))
    return
  }
  const native = chooseLayout(names, inputs, shape.length)
  const alike = keep || !(rest.includes(3) && (rest.includes(1) || rest.includes(2)))
  const layout = alike ? native : 'last'
  const at = axes.map((axis) => (shape.length === 4 ? axisIn(axis, layout) : axis)).sort((a, b) => a - b)
  const out =
    axes.length === 0
      ? graph.node('Identity', [names.get(x, layout)])
      : graph.node(reductions[kernel]!, [names.get(x, layout), ints(graph, at)], { attrs: { keepdims: keep ? 1 : 0 } })
  names.set(outputs[0]!, keep && shape.length === 4 ? layout : 'last', out)
}

// -------------------------------------------------------------------------------------
// programs
// -------------------------------------------------------------------------------------

/** The terms of an `Affine`, in whatever layout most of it has. */
const translateAffine = (graph: Graph, names: Names, call: Call, block: number | undefined): void => {
  const { terms, bias, conv, relu } = affineOf(call)
  const at = (place: number): number => call.inputs[place]!
  const out = call.outputs[0]!
  const channels = names.info(out).shape[3]!
  const images = terms.map(({ x, s }) => ({ x: at(x), s: s === undefined ? undefined : at(s) }))
  const convolution = conv === undefined ? undefined : { ...conv, inputs: conv.inputs.map(at) }
  const blocked =
    block !== undefined &&
    (convolution === undefined ? images.some(({ x }) => names.has(x, 'blocked')) : suits(names, convolution, block))
  if (!blocked) {
    const layout: Layout =
      convolution !== undefined || images.some(({ x }) => names.has(x, 'first') || names.has(x, 'blocked'))
        ? 'first'
        : 'last'
    const b = bias === undefined ? undefined : at(bias)
    const given = convolution?.kernel === 'Conv2D' && b !== undefined ? vector(graph, names, b, channels) : undefined
    const parts = [
      ...(convolution === undefined
        ? []
        : [
            convolution.kernel === 'Conv2D'
              ? convolve(graph, names, convolution, given)
              : inputGradient(graph, names, convolution),
          ]),
      ...images.map(({ x, s }) =>
        s === undefined ? names.get(x, layout) : graph.node('Mul', [names.get(x, layout), names.operand(s, layout)]),
      ),
      ...(b === undefined || given !== undefined ? [] : [names.operand(b, layout)]),
    ]
    const sum = parts.reduce((a, p) => graph.node('Add', [a, p]))
    names.set(out, layout, relu ? graph.node('Relu', [sum]) : sum)
    return
  }
  const get = (x: number) => names.get(x, 'blocked')
  const scaled = images.filter(({ s }) => s !== undefined)
  const plain = images.filter(({ s }) => s === undefined).map(({ x }) => get(x))
  const shift = bias === undefined ? {} : { bias: vector(graph, names, at(bias), channels) }
  // Whatever comes last takes bias and activation; each takes the sum of those before it.
  const steps: ((sum: string | undefined, last: boolean) => string)[] = [
    ...scaled.map(
      ({ x, s }) =>
        (sum: string | undefined, last: boolean) =>
          scaleBlocked(graph, get(x), vector(graph, names, s!, channels), channels, {
            ...(sum === undefined ? {} : { sum }),
            ...(last ? { ...shift, relu } : {}),
          }),
    ),
    ...(convolution === undefined
      ? []
      : [
          (sum: string | undefined, last: boolean) =>
            convolveBlocked(graph, names, convolution, block, {
              ...(sum === undefined ? {} : { sum }),
              ...(last ? { ...shift, relu } : {}),
            }).name,
        ]),
  ]
  if (steps.length === 0) {
    const [first, ...rest] = plain as [string, ...string[]]
    if (bias === undefined) {
      const sum = rest.reduce((a, p) => graph.node('Add', [a, p]), first)
      names.set(out, 'blocked', relu ? graph.node('Relu', [sum]) : sum)
      return
    }
    const one = graph.constant(
      'float32',
      [channels],
      Array.from({ length: channels }, () => 1),
    )
    steps.push((sum, last) =>
      scaleBlocked(graph, first, one, channels, {
        ...(sum === undefined ? {} : { sum }),
        ...(last ? { ...shift, relu } : {}),
      }),
    )
    plain.shift()
  }
  const start = plain.length === 0 ? undefined : plain.reduce((a, p) => graph.node('Add', [a, p]))
  const y = steps.reduce<string | undefined>((sum, step, i) => step(sum, i === steps.length - 1), start)
  names.set(out, 'blocked', y!)
}

/** A value as a vector over channels. */
const vector = (graph: Graph, names: Names, v: number, channels: number): string => {
  const { shape } = names.info(v)
  const own = names.get(v, 'last')
  if (shape.length === 1 && shape[0] === channels) return own
  const flat = graph.node('Reshape', [own, ints(graph, [-1])])
  return sizeOf(shape) === channels ? flat : graph.node('Expand', [flat, ints(graph, [channels])])
}

const translateDot = (graph: Graph, names: Names, { inputs, attrs, outputs }: Call): void => {
  const [a, b] = inputs as readonly [number, number]
  const { shape } = names.info(a)
  const mean = attrs['mean'] === true
  if (names.has(a, 'blocked') || names.has(b, 'blocked')) {
    const [p, q] = [names.get(a, 'blocked'), names.get(b, 'blocked')]
    names.set(outputs[0]!, 'last', dotBlocked(graph, p, q, shape, mean))
    return
  }
  const layout = chooseLayout(names, inputs, 4)
  const product = graph.node('Mul', [names.get(a, layout), names.get(b, layout)])
  const axes = [0, 1, 2].map((axis) => axisIn(axis, layout)).sort((p, q) => p - q)
  const reduced = graph.node(mean ? 'ReduceMean' : 'ReduceSum', [product, ints(graph, axes)], {
    attrs: { keepdims: 0 },
  })
  names.set(outputs[0]!, 'last', reduced)
}

const translateCall = (graph: Graph, names: Names, call: Call, block: number | undefined, portable: boolean): void => {
  const { kernel, inputs, outputs } = call
  const rank = names.info(outputs[0]!).shape.length
  const real = (value: number) => graph.constant('float32', [], [value])
  const answer = (made: string | readonly string[], layout: Layout): void => {
    for (const [i, name] of [made].flat().entries()) names.set(outputs[i]!, layout, name)
  }
  const elementwise = pointwise[kernel] ?? moving[kernel]
  if (elementwise !== undefined) {
    const layout = (kernel in pointwise ? elementwiseOnly : chooseLayout)(names, inputs, rank)
    const operand = (i: number) => names.operand(inputs[i]!, layout)
    answer(elementwise({ graph, names, call, operand, real, layout, portable }), layout)
    return
  }
  const form = forms[kernel]
  if (form !== undefined) {
    answer(
      form({ graph, names, call, operand: (i) => names.get(inputs[i]!, 'last'), real, layout: 'last', portable }),
      'last',
    )
    return
  }
  if (kernel === 'Affine') translateAffine(graph, names, call, block)
  else if (kernel === 'ChannelDot') translateDot(graph, names, call)
  else if (kernel in reductions) reduce(graph, names, call)
  else if (block !== undefined && convolutions.has(kernel) && suits(names, call, block)) {
    const { name, layout } = convolveBlocked(graph, names, call, block)
    names.set(outputs[0]!, layout, name)
  } else if (block !== undefined && kernel === 'Conv2DBackpropFilter' && suitsFilterGradient(names, call, block))
    answer(filterGradientBlocked(graph, names, call, block), 'last')
  else if (kernel === 'Conv2D') answer(convolve(graph, names, call), 'first')
  else if (kernel === 'Conv2DBackpropInput') answer(inputGradient(graph, names, call), 'first')
  else if (kernel === 'Conv2DBackpropFilter') answer(filterGradient(graph, names, call), 'last')
  else
    throw new DiffeoException(
      engineError('engine onnxruntime', 'operations that have a translation', `'${kernel}'`, 'choose another engine'),
    )
}

export const inputName = (i: number): string => `in${i}`
export const outputName = (i: number): string => `out${i}`

export interface TranslateOptions {
  /** Operators of ONNX alone, and a batch that is left open: the size that stands for it, and the names outside. */
  readonly portable?: {
    readonly batch: number
    readonly inputs: readonly string[]
    readonly outputs: readonly string[]
  }
  /** The block of the runtime's own convolutions, if it has them; else ordinary operators. */
  readonly block?: number
}

/** Channels are gathered for at least this many, whether blocked or not. */
const GATHERED = 8

/** A program as an ONNX graph. Inputs and outputs are channels last, as everything outside is. */
export const translateGraph = (given: Program, { block, portable }: TranslateOptions = {}): Graph => {
  const program = gatherAffine(given, block ?? GATHERED)
  const own = graph('program', portable?.batch)
  const table = names(own, program.values, program.constants)
  program.inputs.forEach((v, i) => {
    const { dtype, shape } = program.values[v]!
    table.set(v, 'last', own.input(portable?.inputs[i] ?? inputName(i), dtype, shape))
  })
  for (const call of program.calls) translateCall(own, table, call, block, portable !== undefined)
  program.outputs.forEach((v, i) => {
    const { dtype, shape } = program.values[v]!
    own.output(portable?.outputs[i] ?? outputName(i), table.get(v, 'last'), dtype, shape)
  })
  return own
}

/** A program as an ONNX model: its bytes. */
export const translate = (program: Program, options: TranslateOptions = {}): Uint8Array =>
  translateGraph(program, options).encode()
