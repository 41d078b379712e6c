/**
 * Pictures of a flow of images: samples at several temperatures, and the contribution of each scale's latent.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type * as E from 'fp-ts/lib/Either.js'
import type { Latents } from '../../types/shape.js'
import type { ImageShape } from '../data/image-set.js'
import { drawBase } from '../distribution/base.js'
import { compiled } from '../distribution/compiled.js'
import { baseParams, type Flow } from '../distribution/flow.js'
import type { DiffeoError } from '../error.js'
import { imageGrid } from '../image/grid.js'
import type { Raster } from '../image/png.js'
import type { Params } from '../tensor/params.js'
import { foldIn, type Key } from '../tensor/random.js'
import { latentList } from '../tensor/shape.js'
import { type AnyTensor, type BatchOf, latentBatch, latentTensors, unwrap } from '../tensor/tensor.js'

/**
 * Converts pixels in [0, 256) to bytes. A sample may lie slightly outside.
 *
 * @example toBytes([-0.5, 12.7, 256.1]) // [0, 12, 255]
 */
export const toBytes = (pixels: ArrayLike<number>): Uint8Array =>
  Uint8Array.from(pixels, (v) => Math.max(0, Math.min(255, Math.floor(v))))

const free = (value: unknown): void => {
  for (const t of latentTensors(value)) unwrap(t).dispose()
}

/** Returns a tensor's pixels as bytes and frees the tensor. */
const drain = async (batch: unknown): Promise<Uint8Array> => {
  const tensor = unwrap(batch as AnyTensor)
  const pixels = await tensor.data()
  tensor.dispose()
  return toBytes(pixels)
}

/**
 * Draws a row of samples for each temperature, all from the same noise: the lower the temperature, the nearer to the
 * mode.
 *
 * @returns left: a shape error, if the flow's images do not have 1 or 3 channels
 * @example
 * const rows = orThrow(await temperatureRows(digits, digitParams, key(0), [0.7, 1], 8))
 * await writePng('temperatures.png')(rows)()
 */
export const temperatureRows = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  key: Key,
  temperatures: readonly number[] = [0.5, 0.7, 0.85, 1],
  columns = 12,
): Promise<E.Either<DiffeoError, Raster>> => {
  const rows: Uint8Array[] = []
  for (const temperature of temperatures)
    rows.push(await drain(await compiled(flow).sample(params)(key, columns, temperature)))
  return imageGrid({ columns })(Buffer.concat(rows), [columns * rows.length, ...flow.bijector.domain])
}

/**
 * Shows what each scale encodes (Dinh et al. 2016, Appendix D). The first row has the images. Each row below keeps one
 * latent fewer and resamples those of the finer scales. The last latent is the coarsest.
 *
 * @returns left: a shape error, if the flow's images do not have 1 or 3 channels
 * @example
 * const rows = orThrow(await resampledRows(digits, digitParams, key(0), pixels))
 * await writePng('scales.png')(rows)()
 */
export const resampledRows = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  key: Key,
  images: BatchOf<A>,
): Promise<E.Either<DiffeoError, Raster>> => {
  const { forward, inverse } = compiled(flow)
  const [count] = latentTensors(images).map((t) => unwrap(t).shape[0]!) as [number]
  const [z, logDet] = await forward(params)(images)
  const kept = latentTensors(z)
  const scales = latentList(flow.bijector.codomain).length
  const rows: Uint8Array[] = []
  for (let keep = scales; keep >= 1; keep--) {
    const drawn = drawBase(flow.base, flow.bijector.codomain, baseParams(flow, params), foldIn(key, keep), count)
    const fresh = latentTensors(drawn)
    const mixed = fresh.map((t, i) => (i < scales - keep ? t : kept[i]!))
    const [x, inverseLogDet] = await inverse(params)(latentBatch(flow.bijector.codomain, mixed))
    rows.push(await drain(x))
    free(drawn)
    free(inverseLogDet)
  }
  free(z)
  tf.dispose(unwrap(logDet))
  return imageGrid({ columns: count })(Buffer.concat(rows), [count * rows.length, ...flow.bijector.domain])
}
