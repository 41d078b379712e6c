/**
 * Pictures of a trained flow: samples, and reconstructions of test images.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../../types/shape.js'
import { drawBase } from '../../distribution/base.js'
import { compiled } from '../../distribution/compiled.js'
import { baseParams, type Flow } from '../../distribution/flow.js'
import { DiffeoException, orThrow, shapeError } from '../../error.js'
import { imageGrid } from '../../image/grid.js'
import { type Box, heatMap } from '../../image/heatmap.js'
import type { Raster } from '../../image/png.js'
import { toBytes } from '../../report/images.js'
import { boxAround, planeDensity } from '../../report/plane.js'
import type { Params } from '../../tensor/params.js'
import type { Key } from '../../tensor/random.js'
import { product, sameShape, show } from '../../tensor/shape.js'
import { latentBatch, latentTensors, trust, unwrap } from '../../tensor/tensor.js'
import { atClass, chosenClasses, examplesIn, flowFor, type RunBatch, type RunFlow } from '../run/given.js'

/**
 * A flow of events of shape `A`, which its caller has compared with the flow's domain.
 *
 * A flow is invariant in its shape: no type guard can narrow it, so this is a cast.
 */
export const flowOf = <A extends Shape>(flow: Flow<Shape, Latents>): Flow<A, Latents> =>
  flow as unknown as Flow<A, Latents>

/**
 * A grid of images, from their pixels in [0, 256).
 *
 * @throws DiffeoException with a shape error, if the shape is not that of an image with 1 or 3 channels
 */
export const grid = (shape: Shape, pixels: ArrayLike<number>, columns: number): Raster => {
  const [h = 0, w = 0, c = 0] = shape
  if (shape.length !== 3) throw new DiffeoException(shapeError('picture', 'images', show(shape)))
  const bytes = toBytes(pixels)
  return orThrow(imageGrid({ columns })(bytes, [bytes.length / product(shape), h, w, c]))
}

const SIDE = 300

/** The most samples that are drawn at once. It bounds the memory and does not change the samples. */
const AT_ONCE = { image: 64, point: 4096 }

/** Draws `n` samples in parts of nearly equal size. `heard` gets the number of samples drawn so far. */
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
    const [x, logDet] = await compiled(flow).inverse(params)(latentBatch(flow.bijector.codomain, some))
    parts.push(await unwrap(x).data<'float32'>())
    tf.dispose([some.map(unwrap), unwrap(x), unwrap(logDet)].flat())
    heard(from + count)
  }
  return parts
}

/**
 * Draws samples: images as a grid of `columns` columns, points of the plane on top of the density. Of a conditional flow,
 * images of each class in turn.
 */
export const samplePicture = async (
  flow: RunFlow,
  params: Params,
  key: Key,
  { n = 64, columns = 8, temperatures = [1], classes, box, onNotFinite, heard = () => undefined }: SampleOptions = {},
): Promise<Raster> => {
  const parts: Float32Array[] = []
  let before = 0
  const drawAt = async (own: Flow<Shape, Latents>): Promise<void> => {
    for (const temperature of temperatures) {
      const z = drawBase(own.base, own.bijector.codomain, baseParams(own, params), key, n, { temperature })
      parts.push(...(await draw(own, params, z, n, (done) => heard(before + done))))
      tf.dispose(latentTensors(z).map(unwrap))
      before += n
    }
  }
  if ('given' in flow) for (const label of chosenClasses(flow, classes) ?? []) await atClass(flow, label, drawAt)
  else await drawAt(flow)
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
  // only images have classes
  const plane = flowOf<readonly [2]>(flow as Flow<Shape, Latents>)
  return orThrow(heatMap({ ...view, points })(await planeDensity(plane, params, view)))
}

/** The indices of figures, largest first. NaN counts as the largest. */
export const worstFirst = (figures: ArrayLike<number>): readonly number[] => {
  const rank = (i: number): number => (Number.isNaN(figures[i]) ? Number.POSITIVE_INFINITY : figures[i]!)
  return Array.from(figures, (_, i) => i).sort((a, b) => rank(b) - rank(a))
}

interface SampleOptions {
  readonly n?: number
  readonly columns?: number
  /** `n` samples for each, from the same noise. */
  readonly temperatures?: readonly number[]
  /** `n` samples of each of these classes, if the flow is conditional. Default: all classes */
  readonly classes?: readonly number[]
  /** The part of the plane that is shown; default: the box around the samples. */
  readonly box?: Box
  /** Gets the number of samples that are not finite. Such points are not drawn. */
  readonly onNotFinite?: (count: number) => void
  /** Gets the number of samples drawn so far. */
  readonly heard?: (done: number) => void
}

interface Reconstruction {
  /** Of images only. */
  readonly picture: Raster | undefined
  /** The largest |x − f⁻¹(f(x))| of an element; for images in gray levels of 256. */
  readonly largestError: number
  /** The number of examples whose error is not finite. */
  readonly notFinite: number
}

/**
 * Runs forward and inverse on a batch. The picture shows the `most` images with the largest errors, worst first, each
 * above its reconstruction. `heard` counts every example twice.
 */
export const reconstruct = async (
  of: RunFlow,
  params: Params,
  batch: RunBatch,
  most: number,
  heard: (done: number) => void = () => undefined,
): Promise<Reconstruction> => {
  const flow = flowFor(of, batch)
  const size = product(flow.bijector.domain)
  const own = examplesIn(batch)
  const x = unwrap(own)
  const { forward, inverse } = compiled(flow)
  const [z, logDet] = await forward(params)(own)
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
    picture: flow.bijector.domain.length === 3 ? grid(flow.bijector.domain, rows, shown.length) : undefined,
  }
}
