/**
 * `diffeo/fp`: the forms for fp-ts of functions that may fail. They return an `Either` or a `TaskEither` of a `DiffeoError`
 * instead of throwing a `DiffeoException`, and take the value they work on as the last argument, for `pipe`.
 *
 * @module
 */
export { useEngine } from '../backends/engine.js'
export { loadData } from '../data/catalog.js'
export { loadCelebA } from '../data/celeba.js'
export { loadCifar10 } from '../data/cifar10.js'
export { loadFashionMnist, loadMnist } from '../data/mnist.js'
export { loadNpy, type Npy, openNpy, parseNpy } from '../data/npy.js'
export { findPictures } from '../data/picture-files.js'
export { loadFolder, pictureSet } from '../data/pictures.js'
export { readBytes, writeFileAtomic } from '../file.js'
export { encodePng, writePng } from '../image/png.js'
export { resampledRows, temperatureRows } from '../report/images.js'
export { planePicture } from '../report/plane.js'
export { loadCheckpoint, saveCheckpoint } from '../train/checkpoint.js'
export { restore, restoreBest } from '../train/restore.js'
export * from './fp.shared.js'
