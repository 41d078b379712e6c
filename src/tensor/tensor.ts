/**
 * A tensor whose shape the compiler knows. At run time it *is* a TensorFlow.js tensor: {@link unwrap} costs nothing,
 * and every TensorFlow.js function accepts it. {@link refine} is the only checked way in.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Batch, Dims, Latents, Shape } from '../../types/shape.js'
import { type DiffeoError, DiffeoException, orThrow, shapeError, usageError } from '../error.js'
import { explainFreedTensors, FREED } from '../freed.js'
import { explainMissingEngine } from '../missing-engine.js'
import { float32Of, shapeIn, shown, sizesIn } from './numbers.js'
import { isShape, only, product, show } from './shape.js'

// here, because every eager operation imports this module
explainMissingEngine()
explainFreedTensors()

declare const shape: unique symbol
declare const type: unique symbol
export type DType = 'float32' | 'int32' | 'bool'

/**
 * A tensor of shape `S` (sizes, and names such as the batch's `'N'`) and element type `D`. Mutable tuples mean the same:
 * `Tensor<['N', 2]>` is `Tensor<readonly ['N', 2]>`.
 */
export interface Tensor<S extends Dims, in out D extends DType = 'float32'> {
  // a function, so that a shape is not assignable to a wider one
  readonly [shape]: (sizes: Readonly<S>) => Readonly<S>
  readonly [type]: D
}
/** A tensor of whatever shape. */
// biome-ignore lint/suspicious/noExplicitAny: an invariant parameter has no other top
export type AnyTensor = Tensor<any, any>

/** The tensors of a batch of latents: one tensor, or one for each shape (Eq. 17). */
export type BatchOf<L extends Latents> = L extends Shape
  ? Tensor<Batch<L>>
  : { readonly [K in keyof L]: L[K] extends Shape ? Tensor<Batch<L[K]>> : never }

/** A batch of latents, or of events, as a list of tensors, of which the last flows on. */
export const latentTensors = (z: unknown): readonly AnyTensor[] => (Array.isArray(z) ? z : [z as AnyTensor])

/** A list of tensors as a batch of the latents, or of the events, that it has the shapes of. */
export const latentBatch = <L extends Latents>(latents: L, tensors: readonly AnyTensor[]): BatchOf<L> =>
  // `BatchOf<L>` is conditional on `L`; the compiler cannot resolve it here
  (isShape(latents) ? tensors[0] : tensors) as BatchOf<L>

/** One number per example, in nats. */
export type PerExample = Tensor<readonly ['N']>

/**
 * The TensorFlow.js tensor underneath.
 *
 * @example unwrap(x).dispose() // as any tensor of TensorFlow.js
 */
// a typed tensor hides every field of the tensor that it is
export const unwrap = (tensor: AnyTensor): tf.Tensor => tensor as unknown as tf.Tensor

/**
 * The TensorFlow.js tensor underneath.
 *
 * @throws DiffeoException for what is no tensor
 * @internal
 */
export const tensorIn = (op: string, tensor: AnyTensor): tf.Tensor => {
  sizesIn(op)(tensor)
  return unwrap(tensor)
}

/**
 * A TensorFlow.js tensor as a typed one, without a check: for your own bijector or net, whose shapes you know.
 * {@link refine} checks them.
 *
 * @example const doubled = (x: BatchOf<[2]>) => trust<['N', 2]>(tf.mul(unwrap(x), 2))
 */
export const trust = <S extends Dims, D extends DType = 'float32'>(tensor: tf.Tensor): Tensor<S, D> =>
  // the inverse of `unwrap`
  tensor as unknown as Tensor<S, D>

/**
 * Throws where one of the tensors was freed: TensorFlow.js would throw a TypeError.
 *
 * @internal
 */
export const refuseFreed = (op: string, expected: string, tensors: readonly tf.Tensor[]): void => {
  if (tensors.some((t) => t.isDisposed))
    throw new DiffeoException(usageError(op, expected, 'one that was freed', FREED))
}

/**
 * The values of a tensor in row-major order.
 *
 * @throws DiffeoException (as a rejection) if the tensor was freed
 * @example await toArray(batch([2], [1, 2, 3, 4])) // [1, 2, 3, 4]
 */
export const toArray = async (tensor: AnyTensor): Promise<Float32Array> => {
  sizesIn('values')(tensor)
  refuseFreed('values', 'a tensor', [unwrap(tensor)])
  return unwrap(tensor).data<'float32'>()
}

/**
 * The sizes of a tensor.
 *
 * @example sizes(batch([2], [1, 2, 3, 4])) // [2, 2]
 */
export const sizes = (tensor: AnyTensor): Shape => sizesIn('sizes')(tensor)

/**
 * The TensorFlow.js tensor underneath, if it has these sizes: the compiler does not see those known only at run time, and
 * TensorFlow.js would silently repeat a size of 1.
 *
 * @internal
 */
export const standing = (op: string, shape: Shape, tensor: AnyTensor): tf.Tensor => {
  orThrow(only(op, shape)(sizesIn(op)(tensor)))
  return unwrap(tensor)
}

/**
 * A tensor of TensorFlow.js as a typed one: checks element type float32, rank, every size, and that equal names have equal
 * sizes.
 *
 * @example
 * const images = refine(['N', 28, 28, 1])(tf.zeros([64, 28, 28, 1])) // Either<DiffeoError, Tensor<['N', 28, 28, 1]>>
 */
export const refine =
  <const S extends Dims>(shape: S) =>
  (tensor: tf.Tensor): E.Either<DiffeoError, Tensor<S>> => {
    if (!(tensor instanceof tf.Tensor))
      return E.left(usageError('refine', 'a tensor of TensorFlow.js', typeof tensor, 'make one: batch(shape, values)'))
    if (!Array.isArray(shape)) return E.left(usageError('refine', 'a list of sizes and names', shown(shape)))
    const names = new Map<string, number>()
    const fits =
      shape.length === tensor.rank &&
      shape.every((dim, i) => {
        const size = tensor.shape[i]!
        if (typeof dim === 'number') return dim === size
        const known = names.get(dim) ?? size
        names.set(dim, known)
        return known === size
      })
    if (!fits) return E.left(shapeError('refine', show(shape), show(tensor.shape)))
    if (tensor.dtype !== 'float32') return E.left(shapeError('refine', 'float32', tensor.dtype))
    return E.right(trust(tensor))
  }

/**
 * A tensor of the given shape from its values in row-major order.
 *
 * @returns left: a shape error, if there are more or fewer values; a usage error, if one of them is no number or too large
 *   for float32. NaN and infinities are numbers.
 * @example tensor([2, 3], [1, 2, 3, 4, 5, 6]) // right: Tensor<[2, 3]>
 */
export const tensor = <const S extends Shape>(
  shape: S,
  values: ArrayLike<number>,
): E.Either<DiffeoError, Tensor<S>> => {
  return pipe(
    shapeIn('tensor', shape),
    E.chain(() => float32Of('tensor', values)),
    E.chain((data) => {
      const size = product(shape)
      return data.length === size
        ? E.right(trust<S>(tf.tensor(data, [...shape], 'float32')))
        : E.left(shapeError('tensor', `${size} values for ${show(shape)}`, `${data.length}`))
    }),
  )
}

/**
 * A batch of examples of event shape `shape`, from their values one after another.
 *
 * @returns left: a shape error, if the values are not those of whole examples; a usage error, if one of them is no number
 *   or too large for float32. NaN and infinities are numbers.
 * @example batch([2], [1, 2, 3, 4]) // right: Tensor<['N', 2]> with N = 2
 */
export const batch = <const S extends Shape>(
  shape: S,
  values: ArrayLike<number>,
): E.Either<DiffeoError, Tensor<Batch<S>>> => {
  return pipe(
    shapeIn('batch', shape),
    E.chain(() => float32Of('batch', values)),
    E.chain((data) => {
      const size = product(shape)
      const n = data.length / size
      return Number.isInteger(n)
        ? E.right(trust<Batch<S>>(tf.tensor(data, [n, ...shape], 'float32')))
        : E.left(shapeError('batch', `a multiple of ${size} values for N×${show(shape)}`, `${data.length}`))
    }),
  )
}
