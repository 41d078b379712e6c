/**
 * The part of `diffeo/fp` that Node and browsers share.
 *
 * @module
 */
export { layer } from '../bijector/layer.js'
export { evaluationBatches, evaluationPairs, trainBatches, trainPairs } from '../data/batches.js'
export { batchIndices, holdOut } from '../data/split.js'
export { asError, orThrow } from '../error.js'
export { imageGrid } from '../image/grid.js'
export { heatMap } from '../image/heatmap.js'
export { batch, refine, tensor } from '../tensor/tensor.js'
export { decodeSafetensors, encodeSafetensors } from '../train/safetensors.js'
