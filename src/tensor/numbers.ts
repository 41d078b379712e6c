/**
 * Checks numbers from plain JavaScript, which no compiler has checked.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Shape } from '../../types/shape.js'
import { type DiffeoError, DiffeoException, shapeError, usageError } from '../error.js'

/** An unexpected value, as error messages show it. */
export const shown = (u: unknown): string =>
  typeof u === 'string'
    ? JSON.stringify(u.length > 20 ? `${u.slice(0, 20)}…` : u)
    : u instanceof tf.Tensor
      ? 'a tensor'
      : Array.isArray(u) || ArrayBuffer.isView(u)
        ? 'a list'
        : typeof u === 'object' && u !== null
          ? 'an object'
          : typeof u === 'function'
            ? 'a function'
            : typeof u === 'bigint'
              ? `${u}n`
              : String(u)

const FIXES = {
  list: 'flatten nested lists: values.flat(Infinity)',
  tensor: 'check a tensor with refine(shape)(tensor)',
  large: 'scale the data: float32 ends at 3.4e38',
  other: 'pass a list of numbers, one example after another',
}
const fixOf = (u: unknown): string =>
  u instanceof tf.Tensor ? FIXES.tensor : Array.isArray(u) || ArrayBuffer.isView(u) ? FIXES.list : FIXES.other

/** A number rounded to float32. NaN and infinities are numbers, but no finite number becomes one. */
const isFloat = (u: unknown): u is number =>
  typeof u === 'number' && (Number.isFinite(Math.fround(u)) || !Number.isFinite(u))

const wholeArrays = [
  Float32Array,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
]

/** Values as float32, or the error about the first that float32 cannot hold. */
export const float32Of = (op: string, values: ArrayLike<number>): E.Either<DiffeoError, Float32Array> => {
  if (wholeArrays.some((kind) => values instanceof kind)) return E.right(Float32Array.from(values))
  if (typeof values !== 'object' || values === null || !Number.isInteger(values.length) || values.length < 0)
    return E.left(usageError(op, 'a list of numbers', shown(values), fixOf(values)))
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i]
    if (isFloat(value)) continue
    const fix = typeof value === 'number' ? FIXES.large : fixOf(value)
    return E.left(usageError(op, 'numbers of float32', `${shown(value)} at index ${i}`, fix))
  }
  return E.right(Float32Array.from(values))
}

/** A shape, if it is a list of whole numbers. */
export const shapeIn = <S extends Shape>(op: string, shape: S): E.Either<DiffeoError, S> =>
  Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0)
    ? E.right(shape)
    : E.left(shapeError(op, 'a shape of whole numbers', Array.isArray(shape) ? `[${shape}]` : shown(shape)))

/** The sizes of a tensor, or a description of a value that is not a tensor. */
export const sizesIn =
  (op: string) =>
  (tensor: unknown): Shape => {
    if (tensor instanceof tf.Tensor) return tensor.shape
    throw new DiffeoException(usageError(op, 'a tensor', shown(tensor), 'make one: batch(shape, values)'))
  }

/**
 * The sizes of a tensor of float32. Engines would read the bytes of other tensors as float32, or convert them.
 *
 * @throws DiffeoException for anything else
 */
export const floatSizesIn =
  (op: string) =>
  (tensor: unknown): Shape => {
    const shape = sizesIn(op)(tensor)
    const { dtype } = tensor as tf.Tensor
    if (dtype === 'float32') return shape
    throw new DiffeoException(usageError(op, 'a tensor of float32', `one of ${dtype}`, "convert it: x.cast('float32')"))
  }

/**
 * The number of examples of a batch.
 *
 * @throws DiffeoException for a value that is not a tensor, and for a scalar
 */
export const examplesIn = (op: string, batch: unknown): number => {
  const [n] = sizesIn(op)(batch)
  if (n === undefined) throw new DiffeoException(shapeError(op, 'a batch', 'scalar'))
  return n
}

/**
 * A number. TensorFlow.js would repeat a list or another tensor along the shape.
 *
 * @throws DiffeoException for anything else
 */
export const numberIn = (op: string, value: unknown, fix: string): number => {
  if (typeof value === 'number') return value
  throw new DiffeoException(usageError(op, 'a number', shown(value), fix))
}
