/**
 * Pictures of a flow of the plane: its density with the training points, its samples, and the grid of latent
 * coordinates warped by the inverse.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents } from '../../types/shape.js'
import { compiled } from '../distribution/compiled.js'
import type { Flow } from '../distribution/flow.js'
import { type DiffeoError, shapeError } from '../error.js'
import { type Box, gridPoints, heatMap, type View } from '../image/heatmap.js'
import { encodePng } from '../image/png.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { type BatchOf, latentBatch, toArray, trust, unwrap } from '../tensor/tensor.js'
import { colours, type Plot } from './plot.js'

/** A flow of points of the plane. */
export type PlaneFlow<B extends Latents = Latents> = Flow<readonly [2], B>

/**
 * Returns the box around points, with a margin of a twelfth on each side.
 *
 * @example boxAround(Float32Array.of(0, 0, 12, 24)) // { x: [-1, 13], y: [-2, 26] }
 */
export const boxAround = (points: Float32Array): Box => {
  const side = (axis: 0 | 1): readonly [number, number] => {
    const along = points.filter((_, i) => i % 2 === axis)
    const [low, high] = [along.reduce((a, b) => Math.min(a, b)), along.reduce((a, b) => Math.max(a, b))]
    const margin = (high - low) / 12 || 1
    return [low - margin, high + margin]
  }
  return { x: side(0), y: side(1) }
}

const asBatch = (points: Float32Array): BatchOf<readonly [2]> => trust(tf.tensor2d(points, [points.length / 2, 2]))

/** Points whose density is computed in one call. */
const BLOCK = 4000

/**
 * Returns the density `exp log p`, per unit of area, at the pixels of a view, row by row from the top left.
 *
 * @example
 * const view = { box: boxAround(points), width: 200, height: 200 }
 * heatMap(await planeDensity(moons, params, view), view)
 */
export const planeDensity = async <B extends Latents>(
  flow: PlaneFlow<B>,
  params: Params,
  view: View,
): Promise<readonly number[]> => {
  const places = gridPoints(view)
  const each: number[] = []
  for (let from = 0; from < places.length; from += 2 * BLOCK) {
    const x = asBatch(places.subarray(from, from + 2 * BLOCK))
    const logProb = await compiled(flow).logProb(params)(x)
    for (const nats of await toArray(logProb)) each.push(Math.exp(nats))
    for (const t of [x, logProb]) unwrap(t).dispose()
  }
  return each
}

type Line = readonly (readonly [x: number, y: number])[]

/**
 * Lines of constant latent coordinates, seen in the plane: `f⁻¹` of a square grid that reaches `reach` from 0.
 *
 * @example const lines = await latentGrid(moons, params, { lines: 13, reach: 2 }) // 26 lines of [x, y]
 */
export const latentGrid = async <B extends Latents>(
  flow: PlaneFlow<B>,
  params: Params,
  { lines = 13, reach = 2.4, points = 161 } = {},
): Promise<readonly Line[]> => {
  const at = (i: number, n: number) => -reach + (2 * reach * i) / (n - 1)
  const grid = new Float32Array(2 * lines * points * 2)
  for (let axis = 0; axis < 2; axis++)
    for (let l = 0; l < lines; l++)
      for (let p = 0; p < points; p++) {
        const place = 2 * ((axis * lines + l) * points + p)
        grid[place + axis] = at(l, lines)
        grid[place + 1 - axis] = at(p, points)
      }
  const z = asBatch(grid)
  const [x, logDet] = await compiled(flow).inverse(params)(latentBatch(flow.bijector.codomain, [z]))
  const bent = await toArray(x)
  for (const t of [z, x, logDet]) unwrap(t).dispose()
  return Array.from({ length: 2 * lines }, (_, l) =>
    Array.from({ length: points }, (_, p) => {
      const place = 2 * (l * points + p)
      return [bent[place]!, bent[place + 1]!] as const
    }),
  )
}

const pairs = (points: Float32Array): readonly { readonly x: number; readonly y: number }[] =>
  Array.from({ length: points.length / 2 }, (_, i) => ({ x: points[2 * i]!, y: points[2 * i + 1]! }))

/** Options of {@link planePicture}. */
export interface PlaneOptions {
  readonly title: string
  /** Training points: interleaved x and y. */
  readonly data: Float32Array
  readonly key: Key
  /** The number of points and of samples to draw; default: 800. */
  readonly show?: number
  /** The side of the density's image in pixels; default: 200. */
  readonly resolution?: number
}

/**
 * Plots density, samples and warped grid side by side, on the same axes. Training points lie over the density, half as
 * many as elsewhere, and over the grid.
 *
 * @returns left: a shape error, if there are no points
 * @example
 * const plot = orThrow(await planePicture(moons, params, { title: 'two moons', data: points, key: key(0) }))
 * const svg = await toSvg(plot)
 */
export const planePicture = async <B extends Latents>(
  flow: PlaneFlow<B>,
  params: Params,
  { title, data, key, show = 800, resolution = 200 }: PlaneOptions,
): Promise<E.Either<DiffeoError, Plot>> => {
  if (data.length === 0) return E.left(shapeError('planePicture', 'at least one point', 'none'))
  const box = boxAround(data)
  const view = { box, width: resolution, height: resolution }
  const density = await planeDensity(flow, params, view)
  const peak = density.reduce((a, b) => (b > a && Number.isFinite(b) ? b : a), 0)
  const drawn = await compiled(flow).sample(params)(key, show)
  const samples = await toArray(drawn)
  unwrap(drawn).dispose()
  const grid = await latentGrid(flow, params)
  const size = 260
  const axis = (field: 'x' | 'y') => ({
    field,
    type: 'quantitative' as const,
    title: field === 'x' ? 'x₁' : 'x₂',
    scale: { domain: [...box[field]], nice: false, zero: false },
  })
  const encoding = { x: axis('x'), y: axis('y') }
  const dots = (points: Float32Array, color: string, size = 6) =>
    ({
      data: { values: pairs(points.subarray(0, 2 * show)) },
      mark: { type: 'circle', size, opacity: 0.7, clip: true, color },
      encoding,
    }) as const
  return pipe(
    heatMap({ ...view, range: [0, peak || 1] })(density),
    E.flatMap(encodePng),
    E.map((png): Plot => {
      const url = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
      const middle = { x: (box.x[0] + box.x[1]) / 2, y: (box.y[0] + box.y[1]) / 2 }
      return {
        title,
        hconcat: [
          {
            // Vega overestimates the width of letters: a longer title would push the next panel away.
            title: `density 0 to ${peak.toPrecision(3)}, and data`,
            width: size,
            height: size,
            layer: [
              {
                data: { values: [{ ...middle, url }] },
                mark: { type: 'image', width: size, height: size, aspect: false },
                encoding: { ...encoding, url: { field: 'url', type: 'nominal' } },
              },
              // Fewer and smaller, so that the density shows between them.
              dots(data.subarray(0, show), '#ffffff', 2),
            ],
          },
          { title: 'samples', width: size, height: size, ...dots(samples, colours.blue) },
          {
            title: 'training points, and the grid of z',
            width: size,
            height: size,
            layer: [
              {
                data: { values: grid.flatMap((line, l) => line.map(([x, y], p) => ({ x, y, l, p }))) },
                mark: { type: 'line', strokeWidth: 0.7, clip: true, color: '#555555' },
                encoding: { ...encoding, detail: { field: 'l' }, order: { field: 'p' } },
              },
              dots(data, colours.orange),
            ],
          },
        ],
      }
    }),
  )
}
