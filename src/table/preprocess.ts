/**
 * What a flow over a table does first: it brings each column to numbers around 0, by fitted bijectors with exact
 * log-dets. So every log-likelihood is in the units of the table.
 *
 * @module
 */
import type { Same, SameVector } from '../../types/shape.js'
import { exp } from '../bijector/activations.js'
import { columns } from '../bijector/columns.js'
import { compose } from '../bijector/compose.js'
import { logit } from '../bijector/elementwise.js'
import { type Layer, layer } from '../bijector/layer.js'
import { permute } from '../bijector/rearrange.js'
import { reverse } from '../bijector/reverse.js'
import { splineThrough } from '../bijector/spline-through.js'
import { standardise } from '../bijector/standardise.js'
import type { Column } from './column.js'
import { boundedLogit, MARGIN } from './fit.js'

/** Leaves columns as they are. */
const unchanged: Layer<Same> = layer<Same>('unchanged', (shape) =>
  permute(Array.from({ length: shape.at(-1) ?? 1 }, (_, i) => i)).at(shape),
)
const logarithm: Layer<Same> = reverse(exp)

const layerOf = ({ kind, low, high, knots }: Column): Layer<Same> => {
  if (kind === 'positive') return logarithm
  if (kind === 'quantile') return splineThrough(knots ?? [])
  if (kind !== 'bounded' && kind !== 'angle') return unchanged
  return compose(standardise({ mean: low, deviation: high - low }), logit({ alpha: MARGIN, bins: 1 })) as Layer<Same>
}

/**
 * From rows of a table to standardised rows. Columns with steps are dequantised before, so that they have the values
 * x + step·u.
 */
export const preprocess = (of: readonly Column[]): Layer<SameVector> => {
  const layers = of.map(layerOf)
  const scale = standardise({ mean: of.map(({ mean }) => mean), deviation: of.map(({ deviation }) => deviation) })
  // names may repeat those of objects' members, so places stand for them
  return layers.every((each) => each === unchanged)
    ? (scale as Layer<Same> as unknown as Layer<SameVector>)
    : (compose(columns(Object.fromEntries(layers.map((each, i) => [`c${i}`, each]))), scale) as Layer<SameVector>)
}

/** The numbers of a context: one-hot levels, two for an angle, one for each other column. */
export const contextWidth = (of: readonly Column[]): number =>
  of.reduce((sum, { levels, kind }) => sum + (levels?.length ?? (kind === 'angle' ? 2 : 1)), 0)

/** The value of a quantile spline, straight between its points. */
const alongKnots = (knots: NonNullable<Column['knots']>, value: number): number => {
  const after = knots.findIndex(([x]) => x > value)
  const end = after < 0 ? knots.length - 1 : Math.max(1, after)
  const [[x0, y0], [x1, y1]] = [knots[end - 1]!, knots[end]!]
  return y0 + ((value - x0) / (x1 - x0)) * (y1 - y0)
}

/** A value of a column as numbers of a context. */
const encoded = ({ kind, levels, low, high, mean, deviation, knots, step = 0 }: Column, value: number): number[] => {
  if (levels !== undefined) return levels.map((_, i) => Number(i === value))
  if (kind === 'angle') {
    const turn = (2 * Math.PI * value) / (high - low)
    return [Math.cos(turn), Math.sin(turn)]
  }
  if (knots !== undefined) return [alongKnots(knots, value)]
  const seen =
    kind === 'positive' ? Math.log(value) : kind === 'bounded' ? boundedLogit(low, high, value) : value + step / 2
  return [(seen - mean) / deviation]
}

/** Rows of values as contexts, row after row. */
export const encodeContexts = (of: readonly Column[], values: ArrayLike<number>): Float32Array => {
  const rows = values.length / of.length
  const width = contextWidth(of)
  const contexts = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++)
    contexts.set(
      of.flatMap((column, c) => encoded(column, values[row * of.length + c]!)),
      row * width,
    )
  return contexts
}
