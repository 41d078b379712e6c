/**
 * `diffeo/image`: pictures of images, densities and samples, as PNG and SVG files.
 *
 * @module
 */
import type { Latents } from '../../types/shape.js'
import type { ImageShape } from '../data/image-set.js'
import type { Flow } from '../distribution/flow.js'
import { orThrow } from '../error.js'
import type { Raster } from '../image/png.js'
import * as png from '../image/png.js'
import * as images from '../report/images.js'
import type { PlaneFlow, PlaneOptions } from '../report/plane.js'
import * as plane from '../report/plane.js'
import type { Plot } from '../report/plot.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import type { BatchOf } from '../tensor/tensor.js'
import { rejecting, throwing } from '../throwing.js'

export { toBytes } from '../report/images.js'
export { boxAround, latentGrid, type PlaneFlow, type PlaneOptions, planeDensity } from '../report/plane.js'
export { type Plot, toSvg } from '../report/plot.js'
export * from './image.browser.js'

/**
 * Encodes an image as a PNG file. The same image gives the same bytes.
 *
 * @throws DiffeoException if the image is empty or its data do not fill it
 * @example encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(255) })
 */
export const encodePng = throwing(png.encodePng)

/**
 * Writes an image as a PNG file: all of it, or nothing.
 *
 * @throws DiffeoException (as a rejection) as {@link encodePng}, and if the file cannot be written
 * @example await writePng('samples.png', imageGrid(images, [100, 28, 28, 1]))
 */
export const writePng = rejecting((path: string, image: Raster) => png.writePng(path)(image))

/**
 * Draws a row of samples for each temperature, all from the same noise: the lower the temperature, the nearer to the
 * mode.
 *
 * @throws DiffeoException (as a rejection) if the flow's images do not have 1 or 3 channels
 * @example
 * await writePng('temperatures.png', await temperatureRows(digits, digitParams, key(0), [0.7, 1], 8))
 */
export const temperatureRows = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  key: Key,
  temperatures?: readonly number[],
  columns?: number,
): Promise<Raster> => orThrow(await images.temperatureRows(flow, params, key, temperatures, columns))

/**
 * Shows what each scale encodes (Dinh et al. 2016, Appendix D). The first row has the images. Each row below keeps one
 * latent fewer and resamples those of the finer scales. The last latent is the coarsest.
 *
 * @throws DiffeoException (as a rejection) if the flow's images do not have 1 or 3 channels
 * @example await writePng('scales.png', await resampledRows(digits, digitParams, key(0), pixels))
 */
export const resampledRows = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  key: Key,
  x: BatchOf<A>,
): Promise<Raster> => orThrow(await images.resampledRows(flow, params, key, x))

/**
 * Plots density, samples and warped grid side by side, on the same axes. Training points lie over the density, half as
 * many as elsewhere, and over the grid.
 *
 * @throws DiffeoException (as a rejection) if there are no points
 * @example
 * const svg = await toSvg(await planePicture(moons, params, { title: 'two moons', data: points, key: key(0) }))
 */
export const planePicture = async <B extends Latents>(
  flow: PlaneFlow<B>,
  params: Params,
  options: PlaneOptions,
): Promise<Plot> => orThrow(await plane.planePicture(flow, params, options))
