/**
 * The passes of the backend `onnxruntime`, in order.
 *
 * @module
 */
import { gatherColumns } from '../../compiler/passes/columns.js'
import { gatherDense } from '../../compiler/passes/dense.js'
import { foldScales } from '../../compiler/passes/fold-scales.js'
import { gatherImageSums } from '../../compiler/passes/image-sums.js'
import { rematerialise } from '../../compiler/passes/rematerialise.js'
import { simplify } from '../../compiler/passes/simplify.js'
import { gatherSlices } from '../../compiler/passes/splits.js'
import { gatherSums } from '../../compiler/passes/sums.js'
import type { Pass } from '../../compiler/pipeline.js'

/** Without blocks, channels in multiples of this number are gathered. */
const GATHERED = 8

/** @param portable whether the graph is for other runtimes too, which lack the operators that some passes gather */
export const passes = ({
  block,
  portable,
}: {
  readonly block?: number
  readonly portable: boolean
}): readonly Pass[] => [
  ['simplify', simplify],
  ['fold-scales', foldScales],
  ...(portable
    ? []
    : ([
        ['splits', gatherSlices],
        ['dense', gatherDense],
        ['columns', gatherColumns],
        ['sums', gatherSums],
      ] as const)),
  ['image-sums', gatherImageSums(block ?? GATHERED)],
  ...(block === undefined ? [] : ([['rematerialise', rematerialise]] as const)),
]
