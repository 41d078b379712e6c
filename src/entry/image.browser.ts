/**
 * `diffeo/image` in browsers: grids of images and heat maps of densities.
 *
 * @module
 */

import type { GridOptions } from '../image/grid.js'
import * as grid from '../image/grid.js'
import type { HeatMapOptions } from '../image/heatmap.js'
import * as heatmap from '../image/heatmap.js'
import { throwing } from '../throwing.js'

export type { GridOptions } from '../image/grid.js'
export { type Box, gridPoints, type HeatMapOptions, type View, viridis } from '../image/heatmap.js'
export type { Raster } from '../image/png.js'

/**
 * Lays a batch of images, bytes of shape N×H×W×C with 1 or 3 channels, out as one image.
 *
 * @throws DiffeoException if there is no image, the channels are not 1 or 3, or the bytes do not fill the shape
 * @example imageGrid(images, [100, 28, 28, 1], { columns: 10 })
 */
export const imageGrid = throwing(
  (
    images: Uint8Array,
    shape: readonly [n: number, height: number, width: number, channels: number],
    options?: GridOptions,
  ) => grid.imageGrid(options)(images, shape),
)

/**
 * Colours one value per pixel, in the order of {@link gridPoints}. Densities show best as they are, not as logarithms.
 *
 * @throws DiffeoException if there is not exactly one value per pixel
 * @example
 * const view = { box: { x: [-2, 2], y: [-2, 2] }, width: 200, height: 200 } as const
 * heatMap(pinwheel.logProb(gridPoints(view)).map(Math.exp), view)
 */
export const heatMap = throwing((values: ArrayLike<number>, options: HeatMapOptions) =>
  heatmap.heatMap(options)(values),
)
