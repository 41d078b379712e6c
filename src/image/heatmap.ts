/**
 * A function of the plane as an image: evaluate it on {@link gridPoints}, colour it with {@link heatMap}.
 *
 * Pixel (row r, column k) of a w×h image of the box [x₀, x₁] × [y₀, y₁] shows the value at its centre:
 * x = x₀ + (k + ½)(x₁ − x₀)/w and y = y₁ − (r + ½)(y₁ − y₀)/h, so y points up as in a plot.
 *
 * The colours are viridis (Smith and van der Walt, matplotlib, CC0): equal steps look equal, in gray and to
 * colour-blind eyes too. Here it is every 17th of its 256 colours with straight lines between, within 7 of 255
 * everywhere.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import { type DiffeoError, shapeError } from '../error.js'
import type { Raster } from './png.js'

/** A rectangle of the plane. */
export interface Box {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

/** The part of the plane to show, and the size of the image in pixels. */
export interface View {
  readonly box: Box
  readonly width: number
  readonly height: number
}

/** Options of {@link heatMap}. */
export interface HeatMapOptions extends View {
  /** The values of the darkest and the brightest colour; default: the least and the greatest finite value. */
  readonly range?: readonly [number, number]
  /** Points to draw on top in white: interleaved x and y, in the units of the box. Points outside are omitted. */
  readonly points?: Float32Array
  /** The side of a point in pixels; default: 2. */
  readonly pointSize?: number
}

const ANCHORS = [
  0x440154, 0x481a6c, 0x472f7d, 0x414487, 0x39568c, 0x31688e, 0x2a788e, 0x23888e, 0x1f988b, 0x22a884, 0x35b779,
  0x54c568, 0x7ad151, 0xa5db36, 0xd2e21b, 0xfde725,
]

/** The colour of NaN: a gray that viridis does not contain. */
const NOT_A_NUMBER: readonly [number, number, number] = [128, 128, 128]
const WHITE: readonly [number, number, number] = [255, 255, 255]

/**
 * Returns the colour of u in [0, 1], as red, green and blue from 0 to 255. Values outside are clamped; NaN is gray.
 *
 * @example viridis(0) // [68, 1, 84]
 */
export const viridis = (u: number): readonly [number, number, number] => {
  if (Number.isNaN(u)) return NOT_A_NUMBER
  const place = Math.min(1, Math.max(0, u)) * (ANCHORS.length - 1)
  const low = Math.floor(place)
  const from = ANCHORS[low] ?? 0
  const to = ANCHORS[low + 1] ?? from
  const mix = (shift: number): number => {
    const a = (from >> shift) & 255
    return Math.round(a + (place - low) * (((to >> shift) & 255) - a))
  }
  return [mix(16), mix(8), mix(0)]
}

/**
 * Returns the pixel centres of a view, row by row from the top left, as interleaved x and y: `width · height · 2` numbers.
 *
 * @example gridPoints({ box: { x: [-2, 2], y: [-2, 2] }, width: 200, height: 200 })
 */
export const gridPoints = ({ box: { x, y }, width, height }: View): Float32Array => {
  const out = new Float32Array(width * height * 2)
  for (let i = 0; i < width * height; i++) {
    out[2 * i] = x[0] + (((i % width) + 0.5) * (x[1] - x[0])) / width
    out[2 * i + 1] = y[1] - ((Math.floor(i / width) + 0.5) * (y[1] - y[0])) / height
  }
  return out
}

const finiteRange = (values: ArrayLike<number>): readonly [number, number] => {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const v = values[i] ?? 0
    if (!Number.isFinite(v)) continue
    low = Math.min(low, v)
    high = Math.max(high, v)
  }
  return [low, high]
}

/**
 * Colours one value per pixel, in the order of {@link gridPoints}. Densities show best as they are, not as logarithms.
 *
 * @returns left: a shape error, if there is not exactly one value per pixel.
 * @example
 * const view = { box: { x: [-2, 2], y: [-2, 2] }, width: 200, height: 200 } as const
 * heatMap(view)(pinwheel.logProb(gridPoints(view)).map(Math.exp))
 */
export const heatMap =
  ({ box: { x, y }, width, height, range, points = new Float32Array(), pointSize = 2 }: HeatMapOptions) =>
  (values: ArrayLike<number>): E.Either<DiffeoError, Raster> => {
    if (values.length !== width * height)
      return E.left(shapeError('heatMap', `${height}×${width} values, one per pixel`, `${values.length} values`))
    const [low, high] = range ?? finiteRange(values)
    // A constant function has no range to divide by: it is all dark.
    const scale = high > low ? 1 / (high - low) : 0
    const data = new Uint8Array(width * height * 3)
    for (let i = 0; i < values.length; i++) data.set(viridis(((values[i] ?? 0) - low) * scale), 3 * i)
    for (let p = 0; p + 1 < points.length; p += 2) {
      const left = Math.round((((points[p] ?? 0) - x[0]) / (x[1] - x[0])) * width - pointSize / 2)
      const top = Math.round(((y[1] - (points[p + 1] ?? 0)) / (y[1] - y[0])) * height - pointSize / 2)
      for (let r = Math.max(0, top); r < Math.min(height, top + pointSize); r++)
        for (let k = Math.max(0, left); k < Math.min(width, left + pointSize); k++) data.set(WHITE, (r * width + k) * 3)
    }
    return E.right({ width, height, channels: 3, data })
  }
