/**
 * Dense layers, which the pass `dense.ts` gathers, as ONNX operators.
 *
 * @module
 */
import type { CallOf } from '../../../compiler/call.js'
import { type Graph, MICROSOFT } from '../graph.js'
import type { Names } from '../layout.js'

/** `Dense` as ONNX's Gemm, or with its activation as the runtime's own. */
export const lowerDense = (graph: Graph, names: Names, { inputs, attrs, outputs }: CallOf<'Dense'>): void => {
  const own = { transA: attrs.transposeA ? 1 : 0, transB: attrs.transposeB ? 1 : 0 }
  const given = inputs.map((v) => names.get(v, 'last'))
  const y = attrs.relu
    ? graph.node('FusedGemm', given, { domain: MICROSOFT, attrs: { ...own, activation: 'Relu' } })
    : graph.node('Gemm', given, { attrs: own })
  names.set(outputs[0]!, 'last', y)
}
