/**
 * The figures of a report: how a run learned, what it draws, where it stands.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { compiled } from '../../distribution/compiled.js'
import type { DiffeoError } from '../../error.js'
import { encodePng, type Raster } from '../../image/png.js'
import { resampledRows, temperatureRows } from '../../report/images.js'
import type { Figure, Section } from '../../report/page.js'
import { planePicture } from '../../report/plane.js'
import { type Curve, histogram, lines, type Plot, toSvg } from '../../report/plot.js'
import { foldIn } from '../../tensor/random.js'
import { product } from '../../tensor/shape.js'
import { latentTensors, trust, unwrap } from '../../tensor/tensor.js'
import { type Examples, firstBatch, keysOf } from '../run/examples.js'
import type { Metric } from '../run/metrics.js'
import type { OpenRun } from '../run/open-run.js'
import { grid, reconstruct, worstFirst } from './pictures.js'
import type { Evaluated } from './test-results.js'

type Pending<A> = TE.TaskEither<DiffeoError, A>

export const drawn =
  (caption: string) =>
  (plot: Plot): Pending<Figure> =>
    TE.fromTask(async () => ({ caption, image: await toSvg(plot) }))

const raster =
  (caption: string, name?: string) =>
  (picture: E.Either<DiffeoError, Raster>): Pending<Figure> =>
    pipe(
      picture,
      E.flatMap(encodePng),
      E.map((image) => ({ caption, image, ...(name === undefined ? {} : { name }) })),
      TE.fromEither,
    )

export const section = (title: string, figures: readonly Pending<Figure>[], text?: string): Pending<Section> =>
  pipe(
    TE.sequenceSeqArray(figures),
    TE.map((all) => ({ title, figures: all, ...(text === undefined ? {} : { text }) })),
  )

const along = (metrics: readonly Metric[], name: string, of: (metric: Metric) => number | undefined): Curve => ({
  name,
  points: metrics.flatMap((metric) => {
    const value = of(metric)
    return value === undefined ? [] : [[metric.step, value] as const]
  }),
})

/** How it learned: loss, gradients, rate. */
export const curves = (metrics: readonly Metric[], unit: string): Readonly<Record<string, Plot>> => {
  const trained = <K extends 'train' | 'gradientNorm' | 'learningRate'>(name: string, key: K) =>
    along(metrics, name, (m) => ('train' in m ? m[key] : undefined))
  const validation = along(metrics, 'validation', (m) => ('validation' in m ? m.validation : undefined))
  return {
    curves: lines({
      title: 'loss',
      y: unit,
      curves: [trained('train', 'train'), validation].filter((curve) => curve.points.length > 0),
    }),
    gradients: lines({ title: 'norm of the gradients', y: 'norm', curves: [trained('norm', 'gradientNorm')] }),
    rate: lines({ title: 'learning rate', y: 'rate', curves: [trained('rate', 'learningRate')] }),
  }
}

/** Samples from while it learned, in order of the steps. */
export const progressOf = (folder: string): Pending<readonly Figure[]> =>
  TE.fromTask(async () => {
    const names = await readdir(folder).catch(() => [])
    const steps = names.flatMap((name) => /^(\d+)\.png$/.exec(name)?.[1] ?? []).sort((a, b) => Number(a) - Number(b))
    return Promise.all(
      steps.map(async (step) => ({ caption: `step ${step}`, image: await readFile(join(folder, `${step}.png`)) })),
    )
  })

const normal = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)

/** The latents of test examples against the prior, scale by scale. */
export const latentFigures = ({ flow, params }: OpenRun, { test }: Examples): Pending<readonly Figure[]> =>
  pipe(
    TE.fromTask(async () => {
      const x = await test.at(0)
      const [z, logDet] = await compiled(flow).forward(params)(x)
      const parts = await Promise.all(latentTensors(z).map((part) => unwrap(part).data<'float32'>()))
      tf.dispose([unwrap(x), unwrap(logDet), ...latentTensors(z).map(unwrap)])
      return parts
    }),
    TE.flatMap(
      TE.traverseSeqArrayWithIndex((i, z) => {
        const mean = z.reduce((a, b) => a + b, 0) / z.length
        const deviation = Math.sqrt(z.reduce((a, b) => a + (b - mean) ** 2, 0) / z.length)
        const caption = `z${i + 1}: mean ${mean.toFixed(3)}, standard deviation ${deviation.toFixed(3)}`
        const title = `latent ${i + 1}, and the standard normal`
        return drawn(caption)(histogram({ title, x: 'z', values: z, density: normal, range: [-4, 4] }))
      }),
    ),
  )

/** The images of the test set at some places. */
const imagesAt = async ({ test }: Examples, places: readonly number[]): Promise<Float32Array> => {
  const parts: Float32Array[] = []
  const first = await test.at(0)
  const size = unwrap(first).shape[0]!
  unwrap(first).dispose()
  for (const place of places) {
    const batch = unwrap(await test.at(Math.floor(place / size)))
    const one = tf.tidy(() => tf.slice(batch, place % size, 1))
    parts.push(await one.data<'float32'>())
    tf.dispose([batch, one])
  }
  return Float32Array.from(parts.flatMap((part) => [...part]))
}

const SHOWN = 12

export const imageSections = (run: OpenRun, data: Examples, { each, unit }: Evaluated): readonly Pending<Section>[] => {
  const { flow, params, config } = run
  const own = keysOf(config.recipe.seed).sample
  const order = worstFirst(each)
  const extremes = [
    { name: 'least likely', places: order.slice(0, SHOWN) },
    { name: 'likeliest', places: order.slice(-SHOWN).reverse() },
  ]
  const figure = (i: number) => each[i]!.toFixed(3)
  // the pictures of flows of images alone are asked for here
  const images = flow as never
  const some = <A>(use: (x: never) => Promise<A>): Promise<A> =>
    imagesAt(
      data,
      order.filter((_, i) => i % Math.ceil(order.length / SHOWN) === 0),
    ).then(async (pixels) => {
      const x = tf.tensor(pixels, [pixels.length / product(flow.bijector.domain), ...flow.bijector.domain])
      try {
        return await use(trust(x) as never)
      } finally {
        x.dispose()
      }
    })
  return [
    section('Samples', [
      pipe(
        () => temperatureRows(images, params, own).then(E.right),
        TE.flatMap(raster('temperatures 0.5, 0.7, 0.85 and 1, a row each, from the same draws', 'temperatures')),
      ),
    ]),
    section('What each scale holds', [
      pipe(
        () => some((x) => resampledRows(images, params, foldIn(own, 1), x)).then(E.right),
        TE.flatMap(raster('test images; below, the finer latents drawn anew, one scale more in each row', 'scales')),
      ),
    ]),
    section('Reconstruction', [
      pipe(
        () => some((x) => reconstruct(flow, params, x, SHOWN)).then(E.right),
        TE.flatMap(({ picture, largestError }) =>
          raster(`test images, and f⁻¹(f(x)) below; largest error ${largestError.toPrecision(2)} of 256 gray levels`)(
            picture,
          ),
        ),
      ),
    ]),
    section(
      'Likeliest and least likely',
      extremes.map(({ name, places }) =>
        pipe(
          () => imagesAt(data, places).then(E.right),
          TE.flatMap((pixels) =>
            raster(`${name}: ${figure(places[0]!)} to ${figure(places.at(-1)!)} ${unit}`)(
              grid(flow.bijector.domain, pixels, SHOWN),
            ),
          ),
        ),
      ),
    ),
  ]
}

/** A flow of points: its density, its samples, and its latents as the plane holds them. */
export const planePlot =
  ({ flow, params, config }: OpenRun, data: Examples): Pending<Plot> =>
  async () => {
    const of = { title: config.data.name, data: await firstBatch(data), key: keysOf(config.recipe.seed).sample }
    return planePicture(flow as never, params, of)
  }
