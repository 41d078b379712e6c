/**
 * Numbers in and out of models: rows or flat lists become batches, batches become flat lists with their shape.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Shape } from '../../types/shape.js'
import { DiffeoException, orThrow, shapeError, usageError } from '../error.js'
import { float32Of } from '../tensor/numbers.js'
import { product, show } from '../tensor/shape.js'
import { type AnyTensor, type Tensor, toArray, trust, unwrap } from '../tensor/tensor.js'

/**
 * Examples of event shape `S`: a list of rows, each the numbers of one example in row-major order; all numbers in one list,
 * example after example; or a batch, which stays the caller's.
 */
export type Rows<S extends Shape> = Tensor<Batch<S>> | ArrayLike<number> | readonly ArrayLike<number>[]

/** Numbers of a shape, in row-major order. */
export interface Numbers<S extends Shape = Shape> {
  /** The number of examples, then the shape of one. */
  readonly shape: readonly [n: number, ...S]
  readonly data: Float32Array
}

const isRows = (rows: ArrayLike<unknown>): rows is ArrayLike<ArrayLike<number>> =>
  typeof rows[0] === 'object' && rows[0] !== null

/** The numbers of rows, and how many examples they are. */
export const numbersIn = (
  op: string,
  shape: Shape,
  rows: ArrayLike<number> | readonly ArrayLike<number>[],
): { readonly data: Float32Array; readonly count: number } => {
  const size = product(shape)
  if (rows === undefined || rows === null)
    throw new DiffeoException(usageError(op, 'rows of numbers', 'none', `pass rows of ${size} numbers`))
  if (isRows(rows)) {
    const data = new Float32Array(rows.length * size)
    for (const [i, row] of Array.from(rows).entries()) {
      if (row.length !== size)
        throw new DiffeoException(
          shapeError(op, `rows of ${size} numbers for ${show(shape)}`, `${row.length} in row ${i}`),
        )
      data.set(orThrow(float32Of(op, row)), i * size)
    }
    return { data, count: rows.length }
  }
  const data = orThrow(float32Of(op, rows))
  const count = data.length / size
  if (!Number.isInteger(count))
    throw new DiffeoException(shapeError(op, `a multiple of ${size} numbers for ${show(shape)}`, `${data.length}`))
  return { data, count }
}

/** Rows as numbers: those of a batch are read from it. */
export const readRows = async (rows: unknown): Promise<unknown> =>
  rows instanceof tf.Tensor ? toArray(trust<Shape>(rows)) : rows

/** Runs `f` on a batch of the rows, which is freed afterwards unless it is the caller's. */
export const withBatch = async <S extends Shape, R>(
  op: string,
  shape: S,
  rows: Rows<S>,
  f: (batch: Tensor<Batch<S>>) => Promise<R>,
): Promise<R> => {
  if (rows instanceof tf.Tensor) return f(trust<Batch<S>>(rows))
  const { data, count } = numbersIn(op, shape, rows as ArrayLike<number>)
  const batch = tf.tensor(data, [count, ...shape])
  return f(trust<Batch<S>>(batch)).finally(() => batch.dispose())
}

/** The numbers of a tensor, which is freed. */
export const taken = async (t: AnyTensor): Promise<Float32Array> => toArray(t).finally(() => unwrap(t).dispose())

/** The numbers of a batch and their shape. The batch is freed. */
export const numbersOf = async <S extends Shape>(t: AnyTensor): Promise<Numbers<S>> => {
  const { shape } = unwrap(t)
  // the type of a TensorFlow.js tensor does not say its shape
  return { shape: shape as object as Numbers<S>['shape'], data: await taken(t) }
}
