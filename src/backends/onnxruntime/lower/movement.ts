/**
 * Kernels that move elements, and products of matrices, as ONNX operators.
 *
 * @module
 */
import type { Kernel } from '../../../compiler/call.js'
import { MICROSOFT } from '../graph.js'
import { arranged, axisIn } from '../layout.js'
import type { Context, Lower, Lowerings } from './elementwise.js'
import { backwards, ints, reshape, transpose } from './nodes.js'

// -------------------------------------------------------------------------------------
// axis by axis
// -------------------------------------------------------------------------------------

/** A lowering that returns the layout of its first operand, given where an axis lies there. */
const alongAxes =
  <K extends Kernel>(
    f: (context: Context<K> & { readonly at: (axis: number) => number }) => string | readonly string[],
  ): Lower<K> =>
  (context) => {
    return f({ ...context, at: (axis) => axisIn(axis, context.layout) })
  }

/** Kernels that know where an axis lies, and return the layout of their first operand. */
export const moving: Lowerings = {
  Slice: alongAxes(({ graph, operand, call, layout, names }) => {
    const info = names.info(call.inputs[0]!)
    const { begin, size } = call.attrs
    const cut = begin.flatMap((from, i) => (from === 0 && size[i] === info.shape[i] ? [] : [i]))
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
  Concat: alongAxes(({ graph, operand, call, at }) => {
    const axis = at(call.attrs.axis)
    return graph.node(
      'Concat',
      call.inputs.map((_, i) => operand(i)),
      { attrs: { axis } },
    )
  }),
  SplitV: alongAxes(({ graph, operand, call, at }) => {
    const { numOrSizeSplits: sizes, axis } = call.attrs
    return graph.nodes('Split', [operand(0), ints(graph, sizes)], sizes.length, { attrs: { axis: at(axis) } })
  }),
  PadV2: alongAxes(({ graph, operand, call, layout, real }) => {
    const { paddings, constantValue } = call.attrs
    const side = (i: 0 | 1) =>
      arranged(
        paddings.map((p) => p[i]),
        layout,
      )
    return graph.node('Pad', [operand(0), ints(graph, [...side(0), ...side(1)]), real(constantValue)])
  }),
  Tile: alongAxes(({ graph, operand, call, layout }) =>
    graph.node('Tile', [operand(0), ints(graph, arranged(call.attrs.reps, layout))]),
  ),
  GatherV2: alongAxes(({ graph, names, operand, call, at }) => {
    const axis = at(call.attrs.axis)
    return graph.node('Gather', [operand(0), names.get(call.inputs[1]!, 'last')], { attrs: { axis } })
  }),
  Reverse: alongAxes(({ graph, operand, call, at }) => backwards(graph, operand(0), call.attrs.dims.map(at))),
  Cumsum: alongAxes(({ graph, operand, call, at }) => {
    const { axis, exclusive, reverse } = call.attrs
    const where = graph.constant('int64', [], [at(axis)])
    return graph.node('CumSum', [operand(0), where], {
      attrs: { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 },
    })
  }),
}

// -------------------------------------------------------------------------------------
// form
// -------------------------------------------------------------------------------------

const plain = ({ names, call }: Pick<Context, 'names' | 'call'>, i: number): string =>
  names.get(call.inputs[i]!, 'last')

const outputShape = ({ names, call }: Pick<Context, 'names' | 'call'>): readonly number[] =>
  names.info(call.outputs[0]!).shape

const toOutputShape: Lower = (context) => reshape(context.graph, plain(context, 0), outputShape(context))

const products: Lower<'BatchMatMul'> = (context) => {
  const { transposeA, transposeB } = context.call.attrs
  const inputs = [plain(context, 0), plain(context, 1)]
  if (!transposeA && !transposeB) return context.graph.node('MatMul', inputs)
  if (context.portable) {
    const swapped = inputs.map((x, i) => {
      const rank = context.names.info(context.call.inputs[i]!).shape.length
      const perm = Array.from({ length: rank }, (_, axis) => axis)
        .with(-1, rank - 2)
        .with(-2, rank - 1)
      return (i === 0 ? transposeA : transposeB) ? transpose(context.graph, x, perm) : x
    })
    return context.graph.node('MatMul', swapped)
  }
  const attrs = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }
  return context.graph.node('FusedMatMul', inputs, { domain: MICROSOFT, attrs })
}

/** Kernels that take and return channels last. */
export const forms: Lowerings = {
  Reshape: toOutputShape,
  ExpandDims: toOutputShape,
  Transpose: (context) => transpose(context.graph, plain(context, 0), context.call.attrs.perm),
  Fill: (context) => {
    const { names, call, graph } = context
    const { dtype } = names.info(call.outputs[0]!)
    const one = graph.constant(dtype, [], [call.attrs.value])
    return graph.node('Expand', [one, graph.shape(outputShape(context))])
  },
  Pack: (context) => {
    const { graph, call } = context
    const { axis } = call.attrs
    const wide = outputShape(context).with(axis, 1)
    const parts = call.inputs.map((_, i) => reshape(graph, plain(context, i), wide))
    return graph.node('Concat', parts, { attrs: { axis } })
  },
  Unpack: (context) => {
    const { graph, call } = context
    const { axis } = call.attrs
    const ones = ints(
      graph,
      call.outputs.map(() => 1),
    )
    const parts = graph.nodes('Split', [plain(context, 0), ones], call.outputs.length, { attrs: { axis } })
    return parts.map((part) => reshape(graph, part, outputShape(context)))
  },
  DepthToSpace: (context) => {
    const { graph, call, names } = context
    const [n, h, w, c] = names.info(call.inputs[0]!).shape as [number, number, number, number]
    const { blockSize: k } = call.attrs
    const squares = reshape(graph, plain(context, 0), [n, h, w, k, k, c / (k * k)])
    const moved = transpose(graph, squares, [0, 1, 3, 2, 4, 5])
    return reshape(graph, moved, outputShape(context))
  },
  OneHot: (context) => {
    const { depth, onValue, offValue } = context.call.attrs
    const { dtype } = context.names.info(context.call.outputs[0]!)
    const values = context.graph.constant(dtype, [2], [offValue, onValue])
    const size = context.graph.constant('int64', [], [depth])
    return context.graph.node('OneHot', [plain(context, 0), size, values], { attrs: { axis: -1 } })
  },
  BatchMatMul: products,
  Softmax: (context) => context.graph.node('Softmax', [plain(context, 0)], { attrs: { axis: context.call.attrs.dim } }),
}
