/**
 * The operations of TensorFlow that a call of a program becomes. TensorFlow.js took its kernels from there, so nearly every
 * call is one operation.
 *
 * @module
 */

import {
  type Attributes,
  arithmetic,
  type ConvolutionAttributes,
  comparisons,
  functions,
  type Kernel,
} from '../../../compiler/call.js'
import { ALL_REDUCE } from '../../../compiler/operations.js'
import { sizeOf, type ValueInfo } from '../../../compiler/program.js'
import { type Attrs, bool, dtype, float, type GraphDef, int, ints, text, type Width } from '../graph.js'

interface Context<A = unknown> {
  readonly graph: GraphDef
  readonly call: { readonly attrs: A; readonly outputs: readonly number[] }
  /** The name of an operand. */
  readonly x: (i: number) => string
  readonly all: readonly string[]
  readonly info: (i: number) => ValueInfo
  /** That of the first operand, or half as wide. */
  readonly type: Width
  readonly out: ValueInfo
  /** The number that this program's collectives have on all workers. */
  readonly group: number
}

/** Returns the name of the first result; a second one is `name:1`, and so on. */
type Lower<A = unknown> = (context: Context<A>) => string

const vector = (graph: GraphDef, values: readonly number[]): string => graph.constant('int32', [values.length], values)

/** The type of the first operand as the attribute that most operations call `T`. */
const typed = ({ type }: Context): Attrs => ({ T: dtype(type) })

/** One operation of all operands, with its type and what else is given. */
const op =
  <A = unknown>(name: string, more: (context: Context<A>) => Attrs = () => ({})): Lower<A> =>
  (context) =>
    context.graph.node(name, context.all, { attrs: { ...typed(context), ...more(context) } })

/** One without a type. */
const untyped =
  (name: string): Lower =>
  ({ graph, all }) =>
    graph.node(name, all)

/** Operations of the same name. */
const named = <K extends Kernel>(kernels: readonly K[]): Readonly<Record<K, Lower>> =>
  Object.fromEntries(kernels.map((kernel) => [kernel, op(kernel)])) as Record<K, Lower>

/** One operation of the first operand and of a vector of integers. */
const withVector =
  <A = unknown>(name: string, type: string, values: (context: Context<A>) => readonly number[]): Lower<A> =>
  (context) =>
    context.graph.node(name, [context.x(0), vector(context.graph, values(context))], {
      attrs: { ...typed(context), [type]: dtype('int32') },
    })

const reduce =
  (name: string, hasType = true): Lower<Attributes['Sum']> =>
  (context) => {
    const { graph, x, call } = context
    const attrs = { Tidx: dtype('int32'), keep_dims: bool(call.attrs.keepDims) }
    return graph.node(name, [x(0), vector(graph, call.attrs.axis)], {
      attrs: hasType ? { ...typed(context), ...attrs } : attrs,
    })
  }

const scalar = ({ graph, info }: Context, value: number): string => graph.constant(info(0).dtype, [], [value])

const axis = ({ graph, call }: Context<{ readonly axis: number }>): string =>
  graph.constant('int32', [], [call.attrs.axis])

// -------------------------------------------------------------------------------------
// convolutions
// -------------------------------------------------------------------------------------

const convolution = (context: Context<ConvolutionAttributes>): Attrs => {
  const { strides, dilations, pad } = context.call.attrs
  const own = {
    ...typed(context),
    strides: ints([1, ...strides, 1]),
    dilations: ints([1, ...dilations, 1]),
    data_format: text('NHWC'),
  }
  if (pad === 'same' || pad === 'valid') return { ...own, padding: text(pad === 'same' ? 'SAME' : 'VALID') }
  return { ...own, padding: text('EXPLICIT'), explicit_paddings: ints(pad.flat()) }
}

const norm = (context: Context, isTraining: boolean, epsilon: number): Attrs => ({
  ...typed(context),
  U: dtype('float32'),
  epsilon: float(epsilon),
  is_training: bool(isTraining),
  data_format: text('NHWC'),
})

// -------------------------------------------------------------------------------------
// the table
// -------------------------------------------------------------------------------------

/** 1 above 0, and α below. */
const step: Lower<Attributes['Step']> = (context) => {
  const { graph, x, call } = context
  const above = graph.node('Greater', [x(0), scalar(context, 0)], { attrs: typed(context) })
  const mask = graph.node('Cast', [above], { attrs: { SrcT: dtype('bool'), DstT: dtype(context.out.dtype) } })
  const { alpha } = call.attrs
  if (alpha === 0) return mask
  const scaled = graph.node('Mul', [mask, scalar(context, 1 - alpha)], { attrs: typed(context) })
  return graph.node('AddV2', [scaled, scalar(context, alpha)], { attrs: typed(context) })
}

const reshape: Lower = withVector('Reshape', 'Tshape', ({ out }) => out.shape)

/** An image as a matrix: a row for each position, a column for each channel. */
const rows = ({ graph, x, info, type }: Context, i: number): string => {
  const { shape } = info(i)
  return graph.node('Reshape', [x(i), vector(graph, [sizeOf(shape) / shape.at(-1)!, shape.at(-1)!])], {
    attrs: { T: dtype(type), Tshape: dtype('int32') },
  })
}

/** Whether a gradient by a filter is one product of matrices, which is quicker then, in float32 at least. */
const isProduct = ({ type, out, call, info }: Context<ConvolutionAttributes>): boolean =>
  type === 'float32' &&
  out.shape[0] === 1 &&
  out.shape[1] === 1 &&
  info(0).shape.slice(0, 3).join() === info(1).shape.slice(0, 3).join() &&
  call.attrs.strides.every((n) => n === 1)

/** By kernel. */
export const kernels: { readonly [K in Kernel]?: Lower<Attributes[K]> } = {
  ...named([...arithmetic, ...comparisons, ...functions, 'IsNan', 'IsInf', 'IsFinite', 'Softmax', 'ReluGrad']),
  Add: op('AddV2'),
  Multiply: op('Mul'),
  LogicalAnd: untyped('LogicalAnd'),
  LogicalOr: untyped('LogicalOr'),
  LogicalNot: untyped('LogicalNot'),
  Select: ({ graph, all, out }) => graph.node('SelectV2', all, { attrs: { T: dtype(out.dtype) } }),
  LeakyRelu: op('LeakyRelu', ({ call }) => ({ alpha: float(call.attrs.alpha) })),
  Step: step,
  ClipByValue: (context) => {
    const { clipValueMin, clipValueMax } = context.call.attrs
    const bounds = [scalar(context, clipValueMin), scalar(context, clipValueMax)]
    return context.graph.node('ClipByValue', [context.x(0), ...bounds], { attrs: typed(context) })
  },
  Cast: ({ graph, all, info, out }) =>
    graph.node('Cast', all, { attrs: { SrcT: dtype(info(0).dtype), DstT: dtype(out.dtype) } }),
  AddN: op('AddN', ({ all }) => ({ N: int(all.length) })),
  Sum: reduce('Sum'),
  Mean: reduce('Mean'),
  Min: reduce('Min'),
  Max: reduce('Max'),
  All: reduce('All', false),
  Any: reduce('Any', false),
  Cumsum: (context) => {
    const { exclusive, reverse } = context.call.attrs
    return context.graph.node('Cumsum', [context.x(0), axis(context)], {
      attrs: {
        ...typed(context),
        Tidx: dtype('int32'),
        exclusive: bool(exclusive),
        reverse: bool(reverse),
      },
    })
  },
  Reverse: withVector('ReverseV2', 'Tidx', ({ call }) => call.attrs.dims),
  Reshape: reshape,
  ExpandDims: reshape,
  Transpose: withVector('Transpose', 'Tperm', ({ call }) => call.attrs.perm),
  Tile: withVector('Tile', 'Tmultiples', ({ call }) => call.attrs.reps),
  Slice: (context) => {
    const { graph, x, call } = context
    const { begin, size } = call.attrs
    const attrs = { ...typed(context), Index: dtype('int32') }
    return graph.node('Slice', [x(0), vector(graph, begin), vector(graph, size)], { attrs })
  },
  PadV2: (context) => {
    const { graph, x, call } = context
    const { paddings: sides, constantValue } = call.attrs
    const paddings = graph.constant('int32', [sides.length, 2], sides.flat())
    const attrs = { ...typed(context), Tpaddings: dtype('int32') }
    return graph.node('PadV2', [x(0), paddings, scalar(context, constantValue)], { attrs })
  },
  Concat: (context) =>
    context.graph.node('ConcatV2', [...context.all, axis(context)], {
      attrs: { ...typed(context), Tidx: dtype('int32'), N: int(context.all.length) },
    }),
  Pack: op('Pack', ({ all, call }) => ({ N: int(all.length), axis: int(call.attrs.axis) })),
  Unpack: op('Unpack', ({ call }) => ({ num: int(call.outputs.length), axis: int(call.attrs.axis) })),
  SplitV: (context) => {
    const { graph, x, call } = context
    const { numOrSizeSplits: sizes } = call.attrs
    return graph.node('SplitV', [x(0), vector(graph, sizes), axis(context)], {
      attrs: { ...typed(context), Tlen: dtype('int32'), num_split: int(sizes.length) },
    })
  },
  [ALL_REDUCE]: (context) => {
    const { graph, x, call, group } = context
    const { workers, instance } = call.attrs
    const keys = [workers, group, instance].map((key) => graph.constant('int32', [], [key]))
    return graph.node('CollectiveReduceV2', [x(0), ...keys], {
      attrs: {
        ...typed(context),
        Nordering_token: int(0),
        merge_op: text('Add'),
        final_op: text('Div'),
        communication_hint: text('auto'),
        timeout_seconds: float(0),
        is_stateless: bool(false),
        max_subdivs_per_device: int(-1),
      },
    })
  },
  Fill: ({ graph, call, out }) =>
    graph.node('Fill', [vector(graph, out.shape), graph.constant(out.dtype, [], [call.attrs.value])], {
      attrs: { T: dtype(out.dtype), index_type: dtype('int32') },
    }),
  DepthToSpace: op('DepthToSpace', ({ call }) => ({
    block_size: int(call.attrs.blockSize),
    data_format: text('NHWC'),
  })),
  GatherV2: (context) =>
    context.graph.node('GatherV2', [...context.all, axis(context)], {
      attrs: { Tparams: dtype(context.info(0).dtype), Tindices: dtype('int32'), Taxis: dtype('int32') },
    }),
  OneHot: ({ graph, x, call, out }) => {
    const { depth, onValue, offValue } = call.attrs
    const of = (value: number) => graph.constant(out.dtype, [], [value])
    return graph.node('OneHot', [x(0), graph.constant('int32', [], [depth]), of(onValue), of(offValue)], {
      attrs: { T: dtype(out.dtype), TI: dtype('int32'), axis: int(-1) },
    })
  },
  BatchMatMul: (context) => {
    const { transposeA, transposeB } = context.call.attrs
    const [a, b] = [bool(transposeA), bool(transposeB)]
    const attrs = typed(context)
    return context.info(0).shape.length === 2 && context.info(1).shape.length === 2
      ? context.graph.node('MatMul', context.all, { attrs: { ...attrs, transpose_a: a, transpose_b: b } })
      : context.graph.node('BatchMatMulV2', context.all, { attrs: { ...attrs, adj_x: a, adj_y: b } })
  },
  BiasAdd: op('BiasAdd', () => ({ data_format: text('NHWC') })),
  BiasAddGrad: (context) => {
    // oneDNN would take the sum of an image along with the gradient by a filter, and be slower than both alone in float32
    const x = context.type === 'float32' && context.info(0).shape.length === 4 ? rows(context, 0) : context.x(0)
    return context.graph.node('BiasAddGrad', [x], { attrs: { ...typed(context), data_format: text('NHWC') } })
  },
  ScaleShift: (context) => {
    const { graph, all, out } = context
    const of = (value: number) => graph.constant('float32', [out.shape[3]!], Array(out.shape[3]!).fill(value))
    return graph.node('FusedBatchNormV3', [...all, of(0), of(1)], { attrs: norm(context, false, 0) })
  },
  BatchNorm: (context) => {
    const { graph, all, call } = context
    // statistics of before, which none are
    const none = graph.constant('float32', [0], [])
    const attrs = norm(context, true, call.attrs.epsilon)
    return graph.node('FusedBatchNormV3', [...all, none, none], { attrs })
  },
  BatchNormGrad: op('FusedBatchNormGradV3', (context) => norm(context, true, context.call.attrs.epsilon)),
  Conv2D: op('Conv2D', convolution),
  Conv2DBackpropInput: (context) => {
    const { graph, x, out } = context
    return graph.node('Conv2DBackpropInput', [vector(graph, out.shape), x(1), x(0)], { attrs: convolution(context) })
  },
  Conv2DBackpropFilter: (context) => {
    const { graph, x, out } = context
    if (isProduct(context)) {
      const attrs = { ...typed(context), transpose_a: bool(true), transpose_b: bool(false) }
      const product = graph.node('MatMul', [rows(context, 0), rows(context, 1)], { attrs })
      return graph.node('Reshape', [product, vector(graph, out.shape)], {
        attrs: { ...typed(context), Tshape: dtype('int32') },
      })
    }
    return graph.node('Conv2DBackpropFilter', [x(0), vector(graph, out.shape), x(1)], { attrs: convolution(context) })
  },
}

/** The lowering of a kernel, if it has one. */
export const lowerCall = <K extends Kernel>(kernel: K, context: Context<Attributes[K]>): string | undefined =>
  kernels[kernel]?.(context)
