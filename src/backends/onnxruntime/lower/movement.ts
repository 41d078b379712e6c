/**
 * Kernels that move elements, and products of matrices, as ONNX operators.
 *
 * @module
 */
import { axesOf, sliceOf } from '../../../compiler/operations.js'
import { MICROSOFT } from '../graph.js'
import { arranged, axisIn } from '../layout.js'
import type { Context, Translate } from './elementwise.js'
import { backwards, ints, reshape, transpose } from './nodes.js'

// -------------------------------------------------------------------------------------
// axis by axis
// -------------------------------------------------------------------------------------

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

/** Those that know where an axis lies, and answer in the layout of their first operand. */
export const moving: Readonly<Record<string, Translate>> = {
  Slice: alongAxes(({ graph, operand, call, layout, names }) => {
    const info = names.info(call.inputs[0]!)
    const [begin, size] = sliceOf(info, call.attrs)
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
      arranged(
        paddings.map((p) => p[i]!),
        layout,
      )
    const value = (call.attrs['constantValue'] as number | undefined) ?? 0
    return graph.node('Pad', [operand(0), ints(graph, [...side(0), ...side(1)]), real(value)])
  }),
  Tile: alongAxes(({ graph, operand, call, layout }) =>
    graph.node('Tile', [operand(0), ints(graph, arranged(call.attrs['reps'] as number[], layout))]),
  ),
  GatherV2: alongAxes(({ graph, names, operand, call, at, shape }) => {
    const axis = at(axesOf(call.attrs['axis'] ?? 0, shape.length)[0]!)
    return graph.node('Gather', [operand(0), names.get(call.inputs[1]!, 'last')], { attrs: { axis } })
  }),
  Reverse: alongAxes(({ graph, operand, call, at, shape }) => {
    return backwards(graph, operand(0), axesOf(call.attrs['dims'], shape.length).map(at))
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

const toOutputShape: Translate = (context) => reshape(context.graph, plain(context, 0), outputShape(context))

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
      return (i === 0 ? transposeA : transposeB) ? transpose(context.graph, x, perm) : x
    })
    return context.graph.node('MatMul', swapped)
  }
  const attrs = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }
  return context.graph.node('FusedMatMul', inputs, { domain: MICROSOFT, attrs })
}

/** Those that take and answer channels last. */
export const forms: Readonly<Record<string, Translate>> = {
  Reshape: toOutputShape,
  ExpandDims: toOutputShape,
  Transpose: (context) => transpose(context.graph, plain(context, 0), context.call.attrs['perm'] as number[]),
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
    const parts = call.inputs.map((_, i) => reshape(graph, plain(context, i), wide))
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
    return parts.map((part) => reshape(graph, part, outputShape(context)))
  },
  DepthToSpace: (context) => {
    const { graph, call, names } = context
    const [n, h, w, c] = names.info(call.inputs[0]!).shape as [number, number, number, number]
    const k = call.attrs['blockSize'] as number
    const squares = reshape(graph, plain(context, 0), [n, h, w, k, k, c / (k * k)])
    const moved = transpose(graph, squares, [0, 1, 3, 2, 4, 5])
    return reshape(graph, moved, outputShape(context))
  },
  OneHot: (context) => {
    const { depth, onValue = 1, offValue = 0 } = context.call.attrs as Record<string, number>
    const { dtype } = context.names.info(context.call.outputs[0]!)
    const values = context.graph.constant(dtype, [2], [offValue, onValue])
    const size = context.graph.constant('int64', [], [depth!])
    return context.graph.node('OneHot', [plain(context, 0), size, values], { attrs: { axis: -1 } })
  },
  BatchMatMul: products,
  Softmax: lastAxis('Softmax', 'dim'),
}
