/**
 * Normalizing flows whose tensor shapes the compiler checks.
 *
 * @module
 */

export { load, train } from './api/node.js'
export * from './backends/engine.js'
export { type LoadRunOptions, loadRun } from './cli/run/load-run.js'
export * from './data/catalog.js'
export { type CelebA, loadCelebA } from './data/celeba.js'
export { type Cifar10, loadCifar10 } from './data/cifar10.js'
export * from './data/mnist.js'
export { loadNpy, type Npy, openNpy, parseNpy } from './data/npy.js'
export { choosePictures, findPictures, type Pictures } from './data/picture-files.js'
export * from './data/pictures.js'
export { readBytes, writeFileAtomic } from './file.js'
export * from './image/png.js'
export * from './portable.js'
export * from './report/images.js'
export * from './report/plane.js'
export { type Plot, toSvg } from './report/plot.js'
export {
  type BestFigures,
  type Checkpoint,
  loadCheckpoint,
  type Snapshot,
  saveCheckpoint,
} from './train/checkpoint.js'
export * from './train/restore.js'
