/**
 * The pictures of a trained flow: samples (of images a grid, of points of the plane with the density behind them), and
 * what is left of test images after forward and inverse.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Latents, Shape } from '../../../types/shape.js'
import { compiled } from '../../distribution/compiled.js'
import type { Flow } from '../../distribution/flow.js'
import { type DiffeoError, shapeError } from '../../error.js'
import { imageGrid } from '../../image/grid.js'
import { type Box, heatMap } from '../../image/heatmap.js'
import type { Raster } from '../../image/png.js'
import { toBytes } from '../../report/images.js'
import { boxAround, type PlaneFlow, planeDensity } from '../../report/plane.js'
import type { Params } from '../../tensor/params.js'
import type { Key } from '../../tensor/random.js'
import { product, sameShape, show } from '../../tensor/shape.js'
import { type BatchOf, latentTensors, trust, unwrap } from '../../tensor/tensor.js'

/** A grid of images, pixels in [0, 256) one after another; of a shape that can be shown. */
export const grid = (shape: Shape, pixels: ArrayLike<number>, columns: number): E.Either<DiffeoError, Raster> => {
  const [h = 0, w = 0, c = 0] = shape
  const bytes = toBytes(pixels)
  return shape.length === 3
    ? imageGrid({ columns })(bytes, [bytes.length / product(shape), h, w, c])
    : E.left(shapeError('picture', 'images', show(shape)))
}

const SIDE = 300

/** How many are drawn at once at most: memory, not results. */
const AT_ONCE = { image: 64, point: 4096 }

/** `n` draws, in parts of nearly one size; `heard` hears how many are done. */
const draw = async (
  flow: Flow<Shape, Latents>,
  params: Params,
  z: unknown,
  n: number,
  heard: (done: number) => void,
): Promise<readonly Float32Array[]> => {
  const most = flow.bijector.domain.length === 3 ? AT_ONCE.image : AT_ONCE.point
  const size = Math.ceil(n / Math.ceil(n / most))
  const parts: Float32Array[] = []
  for (let from = 0; from < n; from += size) {
    const count = Math.min(size, n - from)
    const some = latentTensors(z).map((t) => trust<Shape>(tf.slice(unwrap(t), from, count)))
    const [x, logDet] = await compiled(flow).inverse(params)((Array.isArray(z) ? some : some[0]) as never)
    parts.push(await unwrap(x).data<'float32'>())
    tf.dispose([some.map(unwrap), unwrap(x), unwrap(logDet)].flat())
    heard(from + count)
  }
  return parts
}

/** Samples as a picture: `columns` images in a row, or the density with the points upon it. */
export const samplePicture = async (
  flow: Flow<Shape, Latents>,
  params: Params,
  key: Key,
  { n = 64, columns = 8, temperatures = [1], box, onNotFinite, heard = () => undefined }: SampleOptions = {},
): Promise<E.Either<DiffeoError, Raster>> => {
  const parts: Float32Array[] = []
  for (const [i, temperature] of temperatures.entries()) {
    const z = flow.prior.sample(flow.bijector.codomain, key, n, temperature)
    parts.push(...(await draw(flow, params, z, n, (done) => heard(i * n + done))))
    tf.dispose(latentTensors(z).map(unwrap))
  }
  const all = Float32Array.from(parts.flatMap((part) => [...part]))
  const size = product(flow.bijector.domain)
  const strange = Array.from({ length: all.length / size }, (_, i) => i).filter(
    (i) => !all.subarray(i * size, (i + 1) * size).every(Number.isFinite),
  )
  onNotFinite?.(strange.length)
  if (!sameShape(flow.bijector.domain, [2])) return grid(flow.bijector.domain, all, columns)
  const left = new Set(strange)
  const points = all.filter((_, i) => !left.has(Math.floor(i / size)))
  const view = { box: box ?? boxAround(points.length > 0 ? points : Float32Array.of(0, 0)), width: SIDE, height: SIDE }
  return heatMap({ ...view, points })(await planeDensity(flow as unknown as PlaneFlow, params, view))
}

/** Places of figures, the largest first; what is no number is worse than all. */
export const worstFirst = (figures: ArrayLike<number>): readonly number[] => {
  const rank = (i: number): number => (Number.isNaN(figures[i]) ? Number.POSITIVE_INFINITY : figures[i]!)
  return Array.from(figures, (_, i) => i).sort((a, b) => rank(b) - rank(a))
}

/** How many samples, and how bold. */
interface SampleOptions {
  readonly n?: number
  readonly columns?: number
  /** `n` samples each, from the same noise. */
  readonly temperatures?: readonly number[]
  /** Which part of the plane is shown; the one around the samples unless told. */
  readonly box?: Box
  /** Hears how many samples have a number that is not finite; of points, those are not shown. */
  readonly onNotFinite?: (count: number) => void
  /** Hears how many are drawn. */
  readonly heard?: (done: number) => void
}

/** A picture of reconstructions, and how large the error is. */
interface Reconstruction {
  readonly picture: E.Either<DiffeoError, Raster>
  /** The largest |x − f⁻¹(f(x))| of a number: for images in gray levels of 256. */
  readonly largestError: number
  /** How many examples have an error that is not finite. */
  readonly notFinite: number
}

/**
 * The images with the largest errors, each above what forward and inverse make of it, the worst first. `heard` hears of
 * every example twice.
 */
export const reconstruct = async (
  flow: Flow<Shape, Latents>,
  params: Params,
  batch: BatchOf<Shape>,
  most: number,
  heard: (done: number) => void = () => undefined,
): Promise<Reconstruction> => {
  const size = product(flow.bijector.domain)
  const x = unwrap(batch)
  const { forward, inverse } = compiled(flow)
  const [z, logDet] = await forward(params)(batch)
  heard(x.shape[0]!)
  const [inverted, inverseLogDet] = await inverse(params)(z)
  const back = unwrap(inverted)
  heard(2 * x.shape[0]!)
  tf.dispose([latentTensors(z).map(unwrap), unwrap(logDet), unwrap(inverseLogDet)])
  const [before, after] = [await x.data<'float32'>(), await back.data<'float32'>()]
  back.dispose()
  const errors = Array.from({ length: x.shape[0]! }, (_, i) => {
    const gaps = before.subarray(i * size, (i + 1) * size).map((v, j) => Math.abs(v - after[i * size + j]!))
    return gaps.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0)
  })
  const order = worstFirst(errors)
  const shown = order.slice(0, most)
  const rows = [before, after].flatMap((all) => shown.flatMap((i) => [...all.subarray(i * size, (i + 1) * size)]))
  return {
    largestError: errors[order[0] ?? 0] ?? 0,
    notFinite: errors.filter((error) => !Number.isFinite(error)).length,
    picture: grid(flow.bijector.domain, rows, shown.length),
  }
}
