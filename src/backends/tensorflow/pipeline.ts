/**
 * The passes of the backend `tensorflow`, in order.
 *
 * @module
 */
import { gatherBatchNorms } from '../../compiler/passes/batch-norm.js'
import { foldScales } from '../../compiler/passes/fold-scales.js'
import { fuse } from '../../compiler/passes/fusions.js'
import { simplify } from '../../compiler/passes/simplify.js'
import type { Pass } from '../../compiler/pipeline.js'

export const passes: readonly Pass[] = [
  ['simplify', simplify],
  ['fold-scales', foldScales],
  ['batch-norm', gatherBatchNorms],
  ['fusions', fuse],
]
