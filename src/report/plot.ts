/**
 * Plots of training and of densities, as Vega-Lite specifications, and their SVG.
 *
 * The colours are Okabe and Ito's, which colour-blind readers can distinguish. Lines also differ in dashes, for prints
 * in gray.
 *
 * @module
 */
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Config, TopLevelSpec } from 'vega-lite'
import type { DiffeoError } from '../error.js'
import { importSharp } from '../image/sharp.js'

/** A Vega-Lite specification, which may be changed like any other before {@link toSvg}. */
export type Plot = TopLevelSpec

/** Okabe and Ito 2008. */
export const colours = {
  black: '#000000',
  blue: '#0072b2',
  orange: '#d55e00',
  green: '#009e73',
  pink: '#cc79a7',
  sky: '#56b4e9',
}

const look: Config = {
  background: '#ffffff',
  font: 'sans-serif',
  view: { stroke: '#cccccc' },
  axis: { gridColor: '#eeeeee', labelFontSize: 11, titleFontSize: 12, titleFontWeight: 'normal' },
  legend: { orient: 'top', title: null, labelFontSize: 11 },
  title: { fontSize: 13, fontWeight: 'normal', anchor: 'start' },
}

/**
 * Renders a plot as the text of an SVG file. The first call loads Vega.
 *
 * @example
 * const plot = await planePicture(moons, params, { title: 'two moons', data: points, key: key(0) })
 * const svg = await toSvg(plot)
 */
export const toSvg = async (plot: Plot): Promise<string> => {
  // one after the other: the sandbox of vitest cannot load modules that two imports share at a time
  const { compile } = await import('vega-lite')
  const vega = await import('vega')
  const { spec } = compile(plot, { config: look })
  const view = new vega.View(vega.parse(spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  return svg
}

/** Pixels of a PNG file per unit of the plot. */
const DENSITY = 2

/**
 * Converts a plot's SVG to the bytes of a PNG file, for viewers that cannot show SVG.
 *
 * @returns left: a file error, if the optional package sharp is not installed.
 */
export const svgToPng = (svg: string): TE.TaskEither<DiffeoError, Uint8Array> =>
  pipe(
    importSharp('plot as PNG'),
    TE.flatMapTask(
      (sharp) => () =>
        sharp(Buffer.from(svg), { density: 72 * DENSITY })
          .png()
          .toBuffer(),
    ),
  )

// -------------------------------------------------------------------------------------
// training
// -------------------------------------------------------------------------------------

/** One quantity over the steps of a run. */
export interface Curve {
  readonly name: string
  /** Step and value, in order of the steps. */
  readonly points: readonly (readonly [step: number, value: number])[]
}

/** Values of a channel, one for each name. */
const byName = <A>(names: readonly string[], range: readonly A[]) =>
  ({ field: 'name', type: 'nominal', scale: { domain: [...names], range: [...range] } }) as const

const dashes = [[], [6, 3], [2, 2], [8, 2, 2, 2]]

/** Running medians over a twentieth of the curve, which a single bad batch does not move. */
const smooth = ({ name, points }: Curve, most = 400): Curve => {
  const width = Math.max(1, Math.floor(points.length / 20))
  const stride = Math.max(1, Math.floor(points.length / most))
  const medians = points.map(([step], i) => {
    const window = points.slice(Math.max(0, i - width + 1), i + 1).map(([, v]) => v)
    return [step, window.sort((a, b) => a - b)[window.length >> 1]!] as const
  })
  return { name, points: medians.filter((_, i) => (medians.length - 1 - i) % stride === 0) }
}

/** The range of the axis: without the largest 3 % of the values, so that a high start does not flatten the curve. */
const visible = (curves: readonly Curve[]): readonly [number, number] | undefined => {
  const all = curves.flatMap(({ points }) => points.map(([, v]) => v).filter(Number.isFinite)).sort((a, b) => a - b)
  const [low, high] = [all[0], all[Math.ceil(0.97 * (all.length - 1))]]
  return low === undefined || high === undefined || low === high ? undefined : [low, high + 0.05 * (high - low)]
}

const rowsOf = ({ name, points }: Curve) => points.map(([step, value]) => ({ name, step, value }))

/**
 * Plots curves over the steps, each with its colour and dash. Curves of more than forty points are smoothed.
 *
 * @example lines({ title: 'bits/dim', y: 'bits/dim', curves: [train, validation] })
 */
export const lines = (of: { readonly title: string; readonly y: string; readonly curves: readonly Curve[] }): Plot => {
  const curves = of.curves.map((curve) => (curve.points.length > 40 ? smooth(curve) : curve))
  const domain = visible(curves)
  const names = curves.map(({ name }) => name)
  // A single curve is named by the title and the axis.
  const legend = names.length > 1 ? {} : { legend: null }
  return {
    title: of.title,
    width: 560,
    height: 240,
    data: { values: curves.flatMap(rowsOf) },
    mark: { type: 'line', clip: true },
    encoding: {
      x: { field: 'step', type: 'quantitative', title: 'step' },
      y: {
        field: 'value',
        type: 'quantitative',
        title: of.y,
        scale: domain === undefined ? { zero: false } : { domain: [...domain], zero: false, nice: true },
      },
      color: { ...byName(names, Object.values(colours).slice(1)), ...legend },
      strokeDash: { ...byName(names, dashes), ...legend },
    },
  }
}

/**
 * Plots a panel for each curve but the first, which is drawn dashed in every panel for comparison. All panels share their
 * axes, which reach up to the end of the worst curve, so that ends can be distinguished, but not above the start of the
 * first.
 *
 * @example panels({ title: 'validation', y: 'bits/dim', curves: [baseline, plain, free] })
 */
export const panels = (of: { readonly title: string; readonly y: string; readonly curves: readonly Curve[] }): Plot => {
  const [first, ...compared] = of.curves
  const names = compared.map(({ name }) => name)
  const [old, changed] = [first?.name ?? '', 'with the change']
  const values = of.curves.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite)
  const low = Math.min(...values)
  const ends = of.curves.flatMap(({ points }) => points.slice(-1).map(([, value]) => value)).filter(Number.isFinite)
  const high = Math.min(Math.max(...ends), first?.points[0]?.[1] ?? Number.POSITIVE_INFINITY)
  const margin = (high - low) / 10
  return {
    title: { text: of.title, anchor: 'start' },
    columns: 4,
    data: {
      values: compared.flatMap((curve) => [
        ...rowsOf({ name: changed, points: curve.points }).map((row) => ({ ...row, panel: curve.name })),
        ...rowsOf(first!).map((row) => ({ ...row, panel: curve.name })),
      ]),
    },
    facet: { field: 'panel', type: 'nominal', sort: names, title: null, header: { labelFontSize: 12 } },
    spec: {
      width: 170,
      height: 120,
      mark: { type: 'line', clip: true },
      encoding: {
        x: { field: 'step', type: 'quantitative', title: 'step', axis: { tickCount: 4 } },
        y: {
          field: 'value',
          type: 'quantitative',
          title: of.y,
          scale: { zero: false, ...(margin > 0 ? { domain: [low - margin, high + margin] } : {}) },
        },
        color: byName([old, changed], [colours.black, colours.blue]),
        strokeDash: byName([old, changed], [[4, 3], []]),
      },
    },
  }
}

// -------------------------------------------------------------------------------------
// distributions
// -------------------------------------------------------------------------------------

/** The input of {@link histogram}. */
interface Histogram {
  readonly title: string
  /** The quantity and its unit. */
  readonly x: string
  readonly values: ArrayLike<number>
  readonly bins?: number
  /** A density to compare with, drawn as a dashed line. */
  readonly density?: (x: number) => number
  /** The part of the axis to show; default: from the least to the greatest value. */
  readonly range?: readonly [number, number]
}

/** Plots the frequency of values in equal bins as a density: the areas of the bars add up to the fraction in range. */
export const histogram = ({ title, x, values, bins = 50, density, range }: Histogram): Plot => {
  const finite = Array.from(values).filter(Number.isFinite)
  const least = (all: readonly number[]) => all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const [from, to] = range ?? [least(finite), -least(finite.map((v) => -v))]
  const width = (to - from) / bins || 1
  const counts = new Float64Array(bins)
  for (const v of finite) {
    const bin = Math.min(bins - 1, Math.floor((v - from) / width))
    if (v >= from && v <= to) counts[bin]! += 1
  }
  const bars = Array.from(counts, (n, i) => ({
    x: from + i * width,
    end: from + (i + 1) * width,
    density: n / (finite.length * width),
  }))
  const curve =
    density === undefined
      ? []
      : Array.from({ length: 121 }, (_, i) => from + (i * (to - from)) / 120).map((at) => ({
          x: at,
          density: density(at),
        }))
  return {
    title,
    width: 360,
    height: 180,
    encoding: {
      x: { field: 'x', type: 'quantitative', title: x, scale: { zero: false } },
      y: { field: 'density', type: 'quantitative', title: 'density' },
    },
    layer: [
      {
        data: { values: bars },
        mark: { type: 'rect', color: colours.sky, stroke: colours.blue, strokeWidth: 0.5 },
        encoding: { x2: { field: 'end' }, y2: { datum: 0 } },
      },
      { data: { values: curve }, mark: { type: 'line', color: colours.black, strokeDash: [5, 3], strokeWidth: 1.5 } },
    ],
  }
}
