/**
 * `tabular(table)`: a density over the columns of a table, what `train` needs to fit it, and rows as records of names and
 * values.
 *
 * @module
 */
import type { SameVector, Shape, ShapeFn } from '../../types/shape.js'
import { atShape } from '../bijector/bijector.js'
import { compose } from '../bijector/compose.js'
import type { Layer } from '../bijector/layer.js'
import { type Base, standardNormal } from '../distribution/base.js'
import { type ConditionalFlow, type Flow, flow } from '../distribution/flow.js'
import { DiffeoException, usageError } from '../error.js'
import { nsf } from '../models/autoregressive.js'
import { type Column, displayed, requireNames } from '../table/column.js'
import { encodeContexts, preprocess } from '../table/preprocess.js'
import type { Table } from '../table/table.js'
import { cellNumber, fittedLevels, type Reading, unknownLevel } from '../table/values.js'
import { logSteps, rowsOf, shapesOf, type View, viewOf } from '../table/view.js'
import type { Key } from '../tensor/random.js'
import type { Indexed, Pairs } from './data.js'
import type { Numbers } from './rows.js'

/** A row by the names of its columns: text, numbers, or ISO dates. */
export type TableRecord = Readonly<Record<string, string | number>>

export interface TabularOptions {
  /** The columns that the density is conditional on. Default: none */
  readonly given?: readonly string[]
  /** The layers behind the preprocessing. Default: `nsf()`, autoregressive for a single column, which has no halves */
  readonly layers?: Layer<SameVector>
  /** Default: standardNormal */
  readonly base?: Base
}

type Vector = readonly [number]

/** What densities over tables have in common. */
interface Described {
  /** The columns that the density is over, in order. */
  readonly columns: readonly Column[]
  /** The numbers of records, one flat list. Columns with steps get the middle of their step. */
  readonly rows: (records: readonly TableRecord[]) => Float32Array
  /** Draws as records. */
  readonly records: (draws: Numbers<Vector>) => readonly TableRecord[]
  /**
   * Σ log step of the dequantised columns, in nats: added to a log-likelihood, a lower bound on the log-probability of
   * their values.
   */
  readonly logSteps: number
}

/** A density over all columns of a table. */
export interface Tabular extends Described, Indexed<Float32Array> {
  readonly density: Flow<Vector, Vector>
}

/** A density over some columns of a table, given the others. */
export interface ConditionalTabular extends Described, Indexed<Pairs<Vector, Vector>> {
  readonly density: ConditionalFlow<Vector, Vector, Vector>
  /** The contexts of records, one flat list. */
  readonly context: (...records: readonly TableRecord[]) => Float32Array
}

/** Values of records, for the given columns. */
const valuesIn = (op: string, columns: readonly Column[], records: readonly TableRecord[]): Float64Array => {
  const own = columns.filter(({ isIndicator }) => isIndicator !== true)
  const values = new Float64Array(records.length * columns.length)
  records.forEach((record, row) => {
    columns.forEach((column, c) => {
      if (column.isIndicator === true) return
      const cell = record[column.name]
      if (cell === undefined) {
        const names = own.map(({ name }) => name).join(', ')
        throw new DiffeoException(usageError(`${op}: record ${row}`, `values of ${names}`, `none of ${column.name}`))
      }
      const levels = column.levels && fittedLevels(column, (text) => unknownLevel(op, row + 1, column, text))
      const reading: Reading = column.levels ? 'text' : column.kind === 'date' ? 'date' : 'number'
      values[row * columns.length + c] = cellNumber(op, row + 1, column.name, reading, levels, cell)
    })
    requireNames(
      `${op}: record ${row}`,
      own.map(({ name }) => name),
      Object.keys(record),
    )
  })
  return values
}

const describe = (view: View): Described => {
  const { modelled } = view
  return {
    columns: modelled,
    rows: (records) => {
      const values = valuesIn('rows', modelled, records)
      return Float32Array.from(values, (value, i) => value + (modelled[i % modelled.length]!.step ?? 0) / 2)
    },
    records: ({ data }) =>
      Array.from({ length: data.length / modelled.length }, (_, row) =>
        Object.fromEntries(
          modelled.map((column, c) => [column.name, displayed(column, data[row * modelled.length + c]!)]),
        ),
      ),
    logSteps: logSteps(view),
  }
}

/**
 * A density over the columns of a table, in the table's units: standardisation, logarithms and the like are its first
 * layers. `train` takes the result as its data, and adds fresh noise to whole numbers and levels of text in each step.
 *
 * @throws DiffeoException if `given` names a column that the table does not have, or all of its columns
 * @example
 * const flowers = tabular(tableFrom([{ petal: 1.4, kind: 'a' }, { petal: 4.7, kind: 'b' }, { petal: 1.3, kind: 'a' }]))
 * const model = await train(flowers.density, flowers, { key: key(0), steps: 10, validation: 0 })
 * await model.logProb(flowers.rows([{ petal: 1.5, kind: 'a' }]))
 * flowers.records(await model.sample(3, { key: key(1) })) // [{ petal: 1.38, kind: 'a' }, …]
 */
export function tabular(
  table: Table,
  options: TabularOptions & { readonly given: readonly string[] },
): ConditionalTabular
export function tabular(table: Table, options?: TabularOptions & { readonly given?: never }): Tabular
export function tabular(
  table: Table,
  { given, layers, base = standardNormal }: TabularOptions = {},
): Tabular | ConditionalTabular {
  const view = viewOf('tabular', table.columns, given)
  const { shape, context } = shapesOf(view)
  const all = compose(preprocess(view.modelled), layers ?? nsf({ autoregressive: shape[0] === 1 })) as Layer<ShapeFn>
  const bijector = atShape<Shape, Layer<ShapeFn>, Shape | undefined>(shape, all, { given: context as Shape })
  // the type of a flow whose shape is known only at run time
  const density = flow(bijector as never, base) as never
  const pick = rowsOf(table.columns, view)
  const at = (indices: Uint32Array, key: Key) => pick(table.values, indices, key)
  const described = { ...describe(view), density, count: table.count }
  if (context === undefined) return { ...described, at: (indices, key) => at(indices, key).x } satisfies Tabular
  return {
    ...described,
    at: (indices, key) => {
      const { x, given: contexts = new Float32Array() } = at(indices, key)
      return { x, given: contexts }
    },
    context: (...records) => encodeContexts(view.given, valuesIn('context', view.given, records)),
  } satisfies ConditionalTabular
}
