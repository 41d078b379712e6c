/**
 * Plots of tables: the values of one column or of two, in the data and in samples, and the coverage of a density.
 *
 * @module
 */
import { colours, type Plot } from './plot.js'

/** Values of the data and of samples. */
export interface DataAndSamples<A> {
  readonly data: A
  readonly samples: A
}

const names = ['data', 'samples'] as const
const scale = { domain: [...names], range: [colours.blue, colours.orange] }

/** The frequency of each of a few levels. */
export const levelFrequencies = (
  title: string,
  levels: readonly string[],
  { data, samples }: DataAndSamples<readonly number[]>,
): Plot => {
  const share = (values: readonly number[], level: number): number =>
    values.filter((value) => Math.min(levels.length - 1, Math.max(0, Math.floor(value))) === level).length /
    Math.max(1, values.length)
  return {
    title,
    width: 280,
    height: 140,
    data: {
      values: levels.flatMap((level, i) => [
        { level, of: 'data', share: share(data, i) },
        { level, of: 'samples', share: share(samples, i) },
      ]),
    },
    mark: 'bar',
    encoding: {
      x: { field: 'level', type: 'nominal', title: null, sort: null },
      xOffset: { field: 'of' },
      y: { field: 'share', type: 'quantitative', title: 'share' },
      color: { field: 'of', type: 'nominal', scale },
    },
  }
}

const BINS = 40

/** The frequency of numbers as two outlines, in the range of the data without its outermost thousandths. */
export const marginal = (title: string, { data, samples }: DataAndSamples<readonly number[]>): Plot => {
  const sorted = [...data].filter(Number.isFinite).sort((a, b) => a - b)
  const low = sorted[Math.floor(0.001 * (sorted.length - 1))] ?? 0
  const high = sorted[Math.ceil(0.999 * (sorted.length - 1))] ?? 1
  const width = (high - low) / BINS || 1
  const heights = (values: readonly number[], of: string) => {
    const counts = new Float64Array(BINS)
    for (const value of values)
      if (value >= low && value <= high) counts[Math.min(BINS - 1, Math.floor((value - low) / width))]! += 1
    return Array.from(counts, (n, i) => ({ x: low + (i + 0.5) * width, of, density: n / (values.length * width) }))
  }
  return {
    title,
    width: 280,
    height: 140,
    data: { values: [...heights(data, 'data'), ...heights(samples, 'samples')] },
    mark: { type: 'line', interpolate: 'step' },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: null, scale: { zero: false } },
      y: { field: 'density', type: 'quantitative', title: 'density' },
      color: { field: 'of', type: 'nominal', scale },
      strokeDash: { field: 'of', type: 'nominal', scale: { domain: [...names], range: [[], [4, 2]] } },
    },
  }
}

/** Two columns as points. */
export const pair = (
  x: string,
  y: string,
  { data, samples }: DataAndSamples<readonly (readonly [number, number])[]>,
): Plot => {
  const axis = (field: 'x' | 'y', title: string) => {
    const at = field === 'x' ? 0 : 1
    const sorted = data.map((point) => point[at]).sort((a, b) => a - b)
    const [low = 0, high = 1] = [
      sorted[Math.floor(0.002 * sorted.length)],
      sorted[Math.ceil(0.998 * sorted.length) - 1],
    ]
    return { field, type: 'quantitative' as const, title, scale: { domain: [low, high], zero: false, nice: false } }
  }
  const panel = (title: string, points: readonly (readonly [number, number])[], color: string) => ({
    title,
    width: 200,
    height: 200,
    data: { values: points.map(([px, py]) => ({ x: px, y: py })) },
    mark: { type: 'circle' as const, size: 6, opacity: 0.6, clip: true, color },
    encoding: { x: axis('x', x), y: axis('y', y) },
  })
  return { hconcat: [panel('data', data, colours.blue), panel('samples', samples, colours.orange)] }
}

/** The share of test rows in each region of highest density, beside the share that the region should hold. */
export const coveragePlot = (title: string, points: readonly (readonly [expected: number, found: number])[]): Plot => ({
  title,
  width: 220,
  height: 220,
  layer: [
    {
      data: {
        values: [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
      },
      mark: { type: 'line', color: colours.black, strokeDash: [5, 3] },
      encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
    },
    {
      data: { values: points.map(([x, y]) => ({ x, y })) },
      mark: { type: 'line', color: colours.blue },
      encoding: {
        x: { field: 'x', type: 'quantitative', title: 'share of samples in the region' },
        y: { field: 'y', type: 'quantitative', title: 'share of test rows in it' },
      },
    },
  ],
})
