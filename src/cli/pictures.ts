/**
 * The pictures of a trained flow: samples, and what is left of test images after forward and inverse.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Latents } from '../../types/shape.js'
import type { ImageShape } from '../data/image-set.js'
import { compiled } from '../distribution/compiled.js'
import type { Flow } from '../distribution/flow.js'
import type { DiffeoError } from '../error.js'
import { imageGrid } from '../image/grid.js'
import type { Raster } from '../image/png.js'
import { toBytes } from '../report/images.js'
import type { Params } from '../tensor/params.js'
import type { Key } from '../tensor/random.js'
import { product } from '../tensor/shape.js'
import { type BatchOf, latentTensors, unwrap } from '../tensor/tensor.js'

/** A square of samples. */
export const samplePicture = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  key: Key,
  side = 8,
): Promise<E.Either<DiffeoError, Raster>> => {
  const samples = unwrap((await compiled(flow).sample(params)(key, side * side)) as never)
  const pixels = await samples.data()
  samples.dispose()
  return imageGrid({ columns: side })(toBytes(pixels), [side * side, ...flow.bijector.domain])
}

/** A picture of reconstructions, and how large the error is. */
export interface Reconstruction {
  readonly picture: E.Either<DiffeoError, Raster>
  /** The largest |x − f⁻¹(f(x))| of a pixel, in gray levels of 256. */
  readonly largestError: number
}

/** The images with the largest errors, each above what forward and inverse make of it, the worst first. */
export const reconstruct = async <A extends ImageShape, B extends Latents>(
  flow: Flow<A, B>,
  params: Params,
  batch: BatchOf<A>,
  show = 16,
): Promise<Reconstruction> => {
  const size = product(flow.bijector.domain)
  const x = unwrap(batch as never)
  const { forward, inverse } = compiled(flow)
  const [z, logDet] = await forward(params)(batch)
  const [inverted, inverseLogDet] = await inverse(params)(z)
  const back = unwrap(inverted as never)
  tf.dispose([latentTensors(z).map(unwrap), unwrap(logDet), unwrap(inverseLogDet)])
  const [before, after] = [await x.data<'float32'>(), await back.data<'float32'>()]
  back.dispose()
  const errors = Array.from({ length: x.shape[0]! }, (_, i) => {
    const gaps = before.subarray(i * size, (i + 1) * size).map((v, j) => Math.abs(v - after[i * size + j]!))
    return { i, error: gaps.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0) }
  }).sort((a, b) => b.error - a.error)
  const shown = errors.slice(0, show).map(({ i }) => i)
  const rows = [before, after].flatMap((images) => shown.map((i) => toBytes(images.subarray(i * size, (i + 1) * size))))
  return {
    largestError: errors[0]?.error ?? 0,
    picture: pipe(Buffer.concat(rows), (bytes) =>
      imageGrid({ columns: shown.length })(bytes, [rows.length, ...flow.bijector.domain]),
    ),
  }
}
