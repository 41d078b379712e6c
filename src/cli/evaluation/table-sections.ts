/**
 * The report of a run on a table: columns and pairs of columns in the data and in samples, calibration, the least likely
 * rows, and densities to compare with.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../../types/shape.js'
import { orThrow } from '../../error.js'
import type { Section } from '../../report/page.js'
import type { Plot } from '../../report/plot.js'
import { coveragePlot, levelFrequencies, marginal, pair } from '../../report/table-plots.js'
import { gaussianMixtureOf, gaussianOf, kernelDensityOf, type Points } from '../../table/baselines.js'
import { displayed } from '../../table/column.js'
import { preprocess } from '../../table/preprocess.js'
import { rowsOf } from '../../table/view.js'
import { foldIn, permutation } from '../../tensor/random.js'
import { type AnyTensor, toArray, trust, unwrap } from '../../tensor/tensor.js'
import { keysOf, type TableParts } from '../run/examples.js'
import type { OpenRun } from '../run/open-run.js'
import { openRows } from '../run/table-run.js'
import { drawn, type Pending, section } from './report-sections.js'
import type { Evaluated } from './test-results.js'

/** Rows of the data and of the flow that are compared. */
const COMPARED = 2000
/** Columns that are shown one by one, and in pairs. */
const SHOWN = 24
const PAIRED = 4
/** Rows of each end of the likelihoods. */
const EXTREMES = 5
/** Rows that baselines are fitted to and tested on. */
const FITTED = 5000
const TESTED = 1000
const KERNELS = 1000
const COMPONENTS = 10
/** More columns make baselines slow. */
const MOST_COLUMNS = 64

/** Samples at the contexts of test rows, in the order of those rows, and their log-densities. */
const samplesOf = async (run: OpenRun, { of, view, parts }: TableParts) => {
  const { test } = parts
  const own = keysOf(run.config.recipe.seed)
  const chosen = permutation(foldIn(own.sample, 1), test.length)
    .slice(0, COMPARED)
    .map((i) => test[i]!)
  const rows = rowsOf(of.columns, view)(of.values, chosen, own.test)
  const open = openRows(run)
  try {
    const samples = await open.drawAll(foldIn(own.sample, 2), chosen.length, rows.given)
    const sampleScores = await open.score(samples, rows.given)
    const scores = await open.score(rows.x, rows.given)
    return { data: rows.x, samples, scores, sampleScores }
  } finally {
    await open.dispose()
  }
}

const columnOf = (values: Float32Array, width: number, column: number): readonly number[] =>
  Array.from({ length: values.length / width }, (_, row) => values[row * width + column]!)

/** The share of test rows in the regions that hold 0, 5, …, 100 % of the samples. */
export const coverageOf = (
  scores: ArrayLike<number>,
  sampleScores: ArrayLike<number>,
): readonly (readonly [expected: number, found: number])[] => {
  const falling = Float64Array.from(sampleScores).sort().reverse()
  return Array.from({ length: 21 }, (_, i) => {
    const expected = i / 20
    if (i === 0) return [0, 0] as const
    const edge = i === 20 ? Number.NEGATIVE_INFINITY : falling[Math.floor(expected * (falling.length - 1))]!
    return [expected, Array.from(scores).filter((score) => score >= edge).length / scores.length] as const
  })
}

/** The columns with the largest correlations to others, among those with many values. */
const pairsOf = (
  names: readonly number[],
  values: Float32Array,
  width: number,
): readonly (readonly [number, number])[] => {
  const columns = names.map((c) => columnOf(values, width, c))
  const ranked = names.flatMap((a, i) =>
    names.slice(i + 1).map((b, j) => {
      const [x, y] = [columns[i]!, columns[i + 1 + j]!]
      const mean = (list: readonly number[]) => list.reduce((s, v) => s + v, 0) / list.length
      const [mx, my] = [mean(x), mean(y)]
      const sum = (f: (k: number) => number) => x.reduce((s, _, k) => s + f(k), 0)
      const xy = sum((k) => (x[k]! - mx) * (y[k]! - my))
      const norm = Math.sqrt(sum((k) => (x[k]! - mx) ** 2) * sum((k) => (y[k]! - my) ** 2))
      return { pair: [a, b] as const, correlation: Math.abs(xy / norm) }
    }),
  )
  return ranked
    .sort((a, b) => b.correlation - a.correlation)
    .slice(0, PAIRED)
    .map(({ pair: of }) => of)
}

/** Mean log-densities of test rows in the units of the table, in nats. */
const baselinesOf = async (
  run: OpenRun,
  { of, view, parts }: TableParts,
): Promise<readonly (readonly [string, number])[]> => {
  const width = view.modelled.length
  if (view.given.length > 0 || width > MOST_COLUMNS) return []
  const own = keysOf(run.config.recipe.seed)
  const rows = rowsOf(of.columns, view)
  const layer = orThrow(preprocess(view.modelled).at([width]))
  const standard = async (indices: Uint32Array, key: number) => {
    const { x } = rows(of.values, indices, foldIn(own.test, key))
    const batch = tf.tensor2d(x, [indices.length, width])
    const [latents, logDet] = layer.bind({}).forward(trust<readonly ['N', ...Shape]>(batch))
    const z = latents as AnyTensor
    const values = await toArray(z)
    const logDets = await toArray(logDet)
    tf.dispose([batch, unwrap(z), unwrap(logDet)])
    return { points: { values, width } satisfies Points, logDets }
  }
  const train = await standard(parts.train.slice(0, FITTED), 0)
  const test = await standard(parts.test.slice(0, TESTED), 1)
  const mean = (logs: Float64Array): number =>
    logs.reduce((sum, log, i) => sum + log + test.logDets[i]!, 0) / logs.length
  const few = { values: train.points.values.slice(0, KERNELS * width), width }
  return [
    ['Gaussian', mean(gaussianOf(train.points)(test.points))],
    [`mixture of ${COMPONENTS} Gaussians`, mean(gaussianMixtureOf(train.points, COMPONENTS, own.init)(test.points))],
    ['kernel density', mean(kernelDensityOf(few)(test.points))],
  ]
}

/** The sections of a run on a table. */
export const tableSections = async (
  run: OpenRun,
  table: TableParts,
  { each, mean }: Evaluated,
): Promise<readonly Pending<Section>[]> => {
  const { modelled } = table.view
  const width = modelled.length
  const { data, samples, scores, sampleScores } = await samplesOf(run, table)
  const shown = modelled.map((_, c) => c).slice(0, SHOWN)
  const marginals = shown.map((c): Plot => {
    const { name, levels } = modelled[c]!
    const both = { data: columnOf(data, width, c), samples: columnOf(samples, width, c) }
    return levels === undefined ? marginal(name, both) : levelFrequencies(name, levels, both)
  })
  const numeric = shown.filter((c) => modelled[c]!.levels === undefined)
  const points = (values: Float32Array, [a, b]: readonly [number, number]) => {
    const [x, y] = [columnOf(values, width, a), columnOf(values, width, b)]
    return x.map((value, i) => [value, y[i]!] as const)
  }
  const pairs = pairsOf(numeric, data, width).map((of) =>
    pair(modelled[of[0]]!.name, modelled[of[1]]!.name, { data: points(data, of), samples: points(samples, of) }),
  )
  const order = each.map((_, i) => i).sort((a, b) => each[b]! - each[a]!)
  const rowOf = (i: number): readonly string[] => {
    const row = table.parts.test[i]!
    const cells = table.of.columns.map(
      (column, c) => `${displayed(column, table.of.values[row * table.of.columns.length + c]!)}`,
    )
    return [(-each[i]!).toFixed(3), ...cells]
  }
  const header = ['log p', ...table.of.columns.map(({ name }) => name)]
  const baselines = await baselinesOf(run, table)
  const compared = [['this flow', -mean] as const, ...baselines].sort((a, b) => b[1] - a[1])
  return [
    ...(baselines.length === 0
      ? []
      : [
          async (): Promise<Section> => ({
            title: 'Log-likelihood of test rows beside other densities',
            text: `Means in nats, in the units of the table. The others see the same standardised columns; they are fitted to at most ${FITTED.toLocaleString('en')} rows and tested on at most ${TESTED.toLocaleString('en')}.`,
            table: [['density', 'log p'], ...compared.map(([name, log]) => [name, log.toFixed(3)])],
            figures: [],
          }),
        ]),
    section('Columns, in the data and in samples', marginals.map(drawn(''))),
    ...(pairs.length === 0 ? [] : [section('Pairs of columns', pairs.map(drawn('')))]),
    section('Calibration', [
      drawn(
        'regions of highest density, by the share of samples in them: on the diagonal, test rows fall into them as often as samples',
      )(coveragePlot('coverage', coverageOf(scores, sampleScores))),
    ]),
    async (): Promise<Section> => ({
      title: 'Least and most likely test rows',
      text: 'A density can give outliers a high likelihood in many dimensions (Nalisnick et al. 2019), so a likely row need not be a typical one.',
      table: [header, ...order.slice(0, EXTREMES).map(rowOf), ...order.slice(-EXTREMES).map(rowOf)],
      figures: [],
    }),
  ]
}
