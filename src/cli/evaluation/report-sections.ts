/**
 * The figures of a report: how a run learned, what it draws, where it stands.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { Latents, Shape } from '../../../types/shape.js'
import type { ImageShape } from '../../data/image-set.js'
import { compiled } from '../../distribution/compiled.js'
import type { Flow } from '../../distribution/flow.js'
import { orThrow } from '../../error.js'
import { encodePng, type Raster } from '../../image/png.js'
import { resampledRows, temperatureRows } from '../../report/images.js'
import type { Figure, Section } from '../../report/page.js'
import { planePicture } from '../../report/plane.js'
import { type Curve, histogram, lines, type Plot, toSvg } from '../../report/plot.js'
import { foldIn } from '../../tensor/random.js'
import { latentTensors, sizes, toArray, trust, unwrap } from '../../tensor/tensor.js'
import { mapTensors, tensorsIn } from '../../tree.js'
import { type Examples, firstBatch, keysOf } from '../run/examples.js'
import { examplesIn, flowFor, freeBatch, type RunBatch } from '../run/given.js'
import type { Metric } from '../run/metrics.js'
import type { OpenRun } from '../run/open-run.js'
import { flowOf, grid, reconstruct, samplePicture, worstFirst } from './pictures.js'
import type { Evaluated } from './test-results.js'

/** A part of the page that is drawn when its turn comes. */
export type Pending<A> = () => Promise<A>

export const drawn =
  (caption: string) =>
  (plot: Plot): Pending<Figure> =>
  async () => ({ caption, image: await toSvg(plot) })

const raster = (caption: string, picture: Raster, name?: string): Figure => ({
  caption,
  image: orThrow(encodePng(picture)),
  ...(name === undefined ? {} : { name }),
})

export const section =
  (title: string, pending: readonly Pending<Figure>[]): Pending<Section> =>
  async () => {
    const figures: Figure[] = []
    for (const figure of pending) figures.push(await figure())
    return { title, figures }
  }

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

/** Samples drawn during training, in order of the steps. */
export const progressOf = async (folder: string): Promise<readonly Figure[]> => {
  const names = await readdir(folder).catch(() => [])
  const steps = names.flatMap((name) => /^(\d+)\.png$/.exec(name)?.[1] ?? []).sort((a, b) => Number(a) - Number(b))
  return Promise.all(
    steps.map(async (step) => ({ caption: `step ${step}`, image: await readFile(join(folder, `${step}.png`)) })),
  )
}

const normal = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)

/** The latents of test examples against the base, scale by scale. */
export const latentFigures =
  ({ flow, params }: OpenRun, { test }: Examples): Pending<Section> =>
  async () => {
    const batch = await test.at(0)
    const [z, logDet] = await compiled(flowFor(flow, batch)).forward(params)(examplesIn(batch))
    const parts = await Promise.all(latentTensors(z).map((part) => unwrap(part).data<'float32'>()))
    freeBatch(batch)
    tf.dispose([unwrap(logDet), ...latentTensors(z).map(unwrap)])
    const figures = parts.map((values, i) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
      const caption = `z${i + 1}: mean ${mean.toFixed(3)}, standard deviation ${deviation.toFixed(3)}`
      const title = `latent ${i + 1}, and the standard normal`
      return drawn(caption)(histogram({ title, x: 'z', values, density: normal, range: [-4, 4] }))
    })
    return section('Latents of test examples', figures)()
  }

/** The test examples at some places, with their contexts if there are any. */
const examplesAt = async ({ test }: Examples, places: readonly number[]): Promise<RunBatch> => {
  const first = await test.at(0)
  const [size = 1] = sizes(examplesIn(first))
  freeBatch(first)
  const parts: RunBatch[] = []
  for (const place of places) {
    const batch = await test.at(Math.floor(place / size))
    parts.push(mapTensors(batch, (t) => tf.slice(t, place % size, 1)))
    freeBatch(batch)
  }
  const rows = parts.map(tensorsIn)
  const together = rows[0]!.map((_, i) => tf.concat(rows.map((row) => row[i]!)))
  parts.forEach(freeBatch)
  return mapTensors(parts[0]!, (t) => together[rows[0]!.indexOf(t)]!)
}

const imagesAt = async (data: Examples, places: readonly number[]): Promise<Float32Array> => {
  const batch = await examplesAt(data, places)
  return toArray(examplesIn(batch)).finally(() => freeBatch(batch))
}

const SHOWN = 12

/** Samples, resampled latents, reconstructions, and the extreme test images. */
export const imageSections = (run: OpenRun, data: Examples, { each, unit }: Evaluated): readonly Pending<Section>[] => {
  const { params, config } = run
  const { domain } = run.flow.bijector
  const sampleKey = keysOf(config.recipe.seed).sample
  const order = worstFirst(each)
  const extremes = [
    { name: 'least likely', places: order.slice(0, SHOWN) },
    { name: 'likeliest', places: order.slice(-SHOWN).reverse() },
  ]
  const figure = (i: number) => each[i]!.toFixed(3)
  /** Test images from the whole range of likelihoods. */
  const withImages = async <A>(use: (batch: RunBatch) => Promise<A>): Promise<A> => {
    const batch = await examplesAt(
      data,
      order.filter((_, i) => i % Math.ceil(order.length / SHOWN) === 0),
    )
    return use(batch).finally(() => freeBatch(batch))
  }
  return [
    section('Samples', [
      async () => {
        if ('given' in run.flow) {
          const picture = await samplePicture(run.flow, params, sampleKey, { n: SHOWN, columns: SHOWN })
          return raster('a row for each class, from the same draws', picture, 'classes')
        }
        const rows = await temperatureRows(flowOf<ImageShape>(run.flow), params, sampleKey)
        return raster(
          'temperatures 0.5, 0.7, 0.85 and 1, a row each, from the same draws',
          orThrow(rows),
          'temperatures',
        )
      },
    ]),
    section('What each scale holds', [
      async () => {
        const caption = 'test images; below, the finer latents drawn anew, one scale more in each row'
        const rows = await withImages((batch) => {
          const flow = flowOf<ImageShape>(flowFor(run.flow, batch))
          return resampledRows(flow, params, foldIn(sampleKey, 1), trust(unwrap(examplesIn(batch))))
        })
        return raster(caption, orThrow(rows), 'scales')
      },
    ]),
    section('Reconstruction', [
      () =>
        withImages(async (batch) => {
          const { picture, largestError } = await reconstruct(run.flow, params, batch, SHOWN)
          const largest = largestError.toPrecision(2)
          return raster(`test images, and f⁻¹(f(x)) below; largest error ${largest} of 256 gray levels`, picture!)
        }),
    ]),
    section(
      'Likeliest and least likely',
      extremes.map(({ name, places }) => async () => {
        const picture = grid(domain, await imagesAt(data, places), SHOWN)
        return raster(`${name}: ${figure(places[0]!)} to ${figure(places.at(-1)!)} ${unit}`, picture)
      }),
    ),
  ]
}

/** Plots a flow of points, which has no classes: its density, its samples, and the grid of latents in the plane. */
export const planePlot = async ({ flow, params, config }: OpenRun, data: Examples): Promise<Plot> => {
  const source = { title: config.data.name, data: await firstBatch(data), key: keysOf(config.recipe.seed).sample }
  return orThrow(await planePicture(flowOf<readonly [2]>(flow as Flow<Shape, Latents>), params, source))
}
