/**
 * A table as the data of a run: its rows in three parts, chosen by the seed. A tenth is held out to test, and a tenth of
 * the others to validate, at most 10,000 and 2,000.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Shape } from '../../../types/shape.js'
import { sha256 } from '../../data/records.js'
import { batchIndices, holdOut } from '../../data/split.js'
import { DiffeoException, formatError, orThrow, usageError } from '../../error.js'
import { readTable } from '../../table/read-table.js'
import type { Table } from '../../table/table.js'
import { rowsOf, shapesOf, type View, viewOf } from '../../table/view.js'
import { counted, quotedList } from '../../table/words.js'
import { foldIn, type Key, key, permutation } from '../../tensor/random.js'
import { trust } from '../../tensor/tensor.js'
import type { Batches } from '../../train/evaluate.js'
import type { DataConfig, Recipe } from './config.js'
import { type DataSet, type Examples, keysOf, type Sharing } from './examples.js'
import type { RunBatch } from './given.js'

/** Rows that are evaluated at once. */
const EVALUATION_BATCH = 1000
const MOST_TEST = 10_000
const MOST_VALIDATION = 2000

/** What the command says of the columns. */
export const describeColumns = ({ columns, ignored }: Pick<Table, 'columns' | 'ignored'>): string =>
  [
    ...columns.map(({ name, kind, levels, step }) => {
      const detail =
        levels !== undefined
          ? ` of ${levels.length} levels`
          : step !== undefined && step !== 1
            ? ` in steps of ${step}`
            : ''
      return `${name}: ${kind}${detail}`
    }),
    ...ignored.map(({ name, reason }) => `${name}: left out (${reason})`),
  ].join('\n')

/** The parts of a table, as indices of its rows. */
interface Parts {
  readonly train: Uint32Array
  readonly validation: Uint32Array
  readonly test: Uint32Array
}

const partsOf = ({ count, name }: Table, seed: number, asked: number | undefined): Parts => {
  const tenth = (n: number, most: number): number => Math.min(most, Math.max(1, Math.floor(n / 10)))
  if (count < 10) throw new DiffeoException(formatError(name, 'at least 10 rows to train and test on', `${count}`))
  const { train: others, validation: test } = orThrow(holdOut(foldIn(key(seed), 1), tenth(count, MOST_TEST), count))
  const size = asked ?? tenth(others.length, MOST_VALIDATION)
  if (size === 0) return { train: others, validation: new Uint32Array(), test }
  if (size >= others.length)
    throw new DiffeoException(
      usageError('--validation', `0 to ${others.length - 1} rows`, `${size}`, 'hold out fewer rows'),
    )
  const { train, validation } = orThrow(holdOut(foldIn(key(seed), 0), size, others.length))
  return { train: train.map((i) => others[i]!), validation: validation.map((i) => others[i]!), test }
}

const digestOf = ({ columns, values }: Table): string =>
  sha256(JSON.stringify(columns), new Uint8Array(values.buffer, values.byteOffset, values.byteLength))

/** Rows of a table as batches of a run. */
const batchesOf = (table: Table, view: View) => {
  const rows = rowsOf(table.columns, view)
  const { shape, context } = shapesOf(view)
  return (indices: Uint32Array, noise: Key): RunBatch => {
    const { x, given } = rows(table.values, indices, noise)
    const events = trust<Batch<Shape>>(tf.tensor2d(x, [indices.length, shape[0]]))
    if (given === undefined) return events
    return { x: events, given: trust(tf.tensor2d(given, [indices.length, context![0]])) }
  }
}

/**
 * Reads a table and splits it.
 *
 * @throws DiffeoException (as a rejection) if the file cannot be read, or the options do not fit its columns
 */
export const tableSet = async (
  { folder: path, columns, missing, given }: DataConfig,
  { seed, validation }: Sharing,
): Promise<DataSet> => {
  if (path === undefined) throw new DiffeoException(usageError('data', 'the path of a table', 'none'))
  const table = await readTable(path, {
    ...(columns && { columns }),
    ...(missing && { missing }),
    key: foldIn(key(seed), 2),
  })
  const view = viewOf('--given', table.columns, given)
  const parts = partsOf(table, seed, validation)
  const batchOf = batchesOf(table, view)
  const all = (indices: Uint32Array, noise: Key, size: number): Batches<RunBatch> => ({
    count: Math.ceil(indices.length / size),
    at: (i) => batchOf(indices.subarray(i * size, (i + 1) * size), foldIn(noise, i)),
  })
  const sizes = `${counted(parts.train.length, 'row')} to train, ${parts.validation.length.toLocaleString('en')} to validate, ${parts.test.length.toLocaleString('en')} to test`
  const context = view.given.length === 0 ? '' : `, given ${quotedList(view.given.map(({ name }) => name))}`
  return {
    shape: shapesOf(view).shape,
    summary: `${path}: ${sizes}; ${counted(view.modelled.length, 'column')}${context}\n${describeColumns(table)}`,
    contents: {
      train: parts.train.length,
      validation: parts.validation.length,
      test: parts.test.length,
      digest: digestOf(table),
    },
    files: [],
    table: { columns: table.columns },
    warnings: table.warnings,
    examples: ({ seed: runSeed, batch: size, limit }: Recipe): Examples => {
      const { train } = parts
      if (limit !== undefined && limit > train.length)
        throw new DiffeoException(
          usageError('--limit', `1 to ${train.length}, the number of training rows`, `${limit}`),
        )
      const keys = keysOf(runSeed)
      const trained =
        limit === undefined
          ? train
          : permutation(keys.limit, train.length)
              .slice(0, limit)
              .map((i) => train[i]!)
      if (size > trained.length)
        throw new DiffeoException(
          usageError('--batch', `a batch size from 1 to ${trained.length}, the number of training rows`, `${size}`),
        )
      const next = orThrow(batchIndices(foldIn(keys.batches, 0), size, trained.length))
      const noise = foldIn(keys.batches, 1)
      const [heldOut, heldOutKey] =
        parts.validation.length > 0 ? [parts.validation, keys.validation] : [parts.test, keys.test]
      const large = Math.min(EVALUATION_BATCH, heldOut.length)
      return {
        batch: (step) =>
          batchOf(
            next(step).map((i) => trained[i]!),
            foldIn(noise, step),
          ),
        validation: all(parts.validation, keys.validation, EVALUATION_BATCH),
        large: { ...all(heldOut, heldOutKey, large), count: Math.floor(heldOut.length / large), size: large },
        test: all(parts.test, keys.test, EVALUATION_BATCH),
        ...(limit !== undefined && { limited: all(trained, keys.limit, EVALUATION_BATCH) }),
        table: { of: table, view, parts },
      }
    },
  }
}
