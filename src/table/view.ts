/**
 * A table as a flow sees it: the columns that it models, those that it is given, and rows with the noise of
 * dequantisation.
 *
 * Columns with steps are dequantised: x + step·u, u ~ U[0, 1). The density of the result, times the steps, bounds the
 * probability of the values from below (Theis et al. 2016): log P(x) ≥ E_u log p(x + step·u) + Σ log step.
 *
 * @module
 */
import { type Key, uniformArray } from '../tensor/random.js'
import { type Column, requireContext, requireNames } from './column.js'
import { contextWidth, encodeContexts } from './preprocess.js'
import type { Table } from './table.js'

/** The columns of a flow. */
export interface View {
  /** What the flow models, in order. */
  readonly modelled: readonly Column[]
  /** What it is given, in order. */
  readonly given: readonly Column[]
}

/** Splits the columns of a table. An indicator goes where its column goes. */
export const viewOf = (op: string, columns: readonly Column[], given: readonly string[] = []): View => {
  requireContext(op, columns, given)
  const isGiven = (column: Column, i: number): boolean =>
    given.includes((column.isIndicator === true ? columns[i - 1]! : column).name)
  return {
    modelled: columns.filter((column, i) => !isGiven(column, i)),
    given: columns.filter((column, i) => isGiven(column, i)),
  }
}

/** Rows for a flow, and their contexts. */
export interface ViewRows {
  readonly x: Float32Array
  readonly given?: Float32Array
}

/** The places of columns among those of a table. */
const placesOf = (columns: readonly Column[], chosen: readonly Column[]): readonly number[] =>
  chosen.map(({ name }) => columns.findIndex((column) => column.name === name))

/**
 * Returns rows of values as a flow of the view takes them.
 *
 * @param columns the columns of the values
 */
export const rowsOf = (columns: readonly Column[], view: View) => {
  const modelled = placesOf(columns, view.modelled)
  const given = placesOf(columns, view.given)
  const steps = view.modelled.map(({ step = 0 }) => step)
  const hasSteps = steps.some((step) => step > 0)
  const width = columns.length
  return (values: ArrayLike<number>, indices: ArrayLike<number>, key: Key): ViewRows => {
    const count = indices.length
    const noise = hasSteps ? uniformArray(key, count * modelled.length) : undefined
    const x = new Float32Array(count * modelled.length)
    const contexts = new Float64Array(count * given.length)
    for (let row = 0; row < count; row++) {
      const from = indices[row]! * width
      for (let c = 0; c < modelled.length; c++) {
        const at = row * modelled.length + c
        x[at] = values[from + modelled[c]!]! + steps[c]! * (noise?.[at] ?? 0)
      }
      for (let c = 0; c < given.length; c++) contexts[row * given.length + c] = values[from + given[c]!]!
    }
    return given.length === 0 ? { x } : { x, given: encodeContexts(view.given, contexts) }
  }
}

/** The shapes of a flow of the view. */
export const shapesOf = ({ modelled, given }: View): { readonly shape: [number]; readonly context?: [number] } => ({
  shape: [modelled.length],
  ...(given.length > 0 && { context: [contextWidth(given)] as [number] }),
})

/** Σ log step, what turns the density of dequantised columns into a bound on the probability of their values. */
export const logSteps = ({ modelled }: View): number =>
  modelled.reduce((sum, { step }) => sum + (step === undefined ? 0 : Math.log(step)), 0)

/** Contexts by name, `{ region: 'north' }`, as rows of values of the given columns. */
export const contextValues = (op: string, { given }: View, named: Readonly<Record<string, number>>): Float64Array => {
  requireNames(
    op,
    given.map(({ name }) => name),
    Object.keys(named),
  )
  return Float64Array.from(given, ({ name }) => named[name] ?? Number.NaN)
}

/** All rows of a table. */
export const allRows = ({ count }: Pick<Table, 'count'>): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => i)
