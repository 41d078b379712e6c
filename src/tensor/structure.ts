/**
 * Operations that move elements without changing them; the types say where each goes. The table is in `ops.ts`.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { Told } from '../../types/check.js'
import type { Add } from '../../types/nat.js'
import type {
  Gathered,
  GatherRefusal,
  ReshapeRefusal,
  SliceRefusal,
  SplitRefusal,
  ToDepth,
  ToDepthRefusal,
  ToSpace,
  ToSpaceRefusal,
  Transposed,
  TransposeRefusal,
} from '../../types/ops.js'
import type { Batch, Dims, Shape } from '../../types/shape.js'
import { orThrow } from '../error.js'
import * as shapes from './shape.js'
import { sizes, standing, type Tensor, trust, unwrap } from './tensor.js'

// -------------------------------------------------------------------------------------
// order and form
// -------------------------------------------------------------------------------------

/**
 * The same elements in another event shape, row-major; `to` must have as many.
 *
 * @example T.reshape([1, 2])(batch([2], [1, 2, 3, 4])) // Tensor<['N', 2]> → Tensor<['N', 1, 2]>
 * @throws DiffeoException if a size known only at run time does not fit
 */
export const reshape =
  <const To extends Shape>(to: To) =>
  <S extends Shape>(x: Told<ReshapeRefusal<S, To>> & Tensor<Batch<S>>): Tensor<Batch<To>> => {
    const [n, ...event] = sizes(x)
    return trust(tf.reshape(unwrap(x), [n!, ...orThrow(shapes.reshapeTo(to)(event))]))
  }

/**
 * Dimensions in another order, the batch included: dimension i of the result is dimension `order[i]` of `x`.
 *
 * @example T.transpose([1, 0])(tensor([2, 3], [1, 2, 3, 4, 5, 6])) // [1, 4, 2, 5, 3, 6]
 * @throws DiffeoException if an order known only at run time is no permutation
 */
export const transpose =
  <const P extends readonly number[]>(order: P) =>
  <S extends Dims>(x: Told<TransposeRefusal<S, P>> & Tensor<S>): Tensor<Transposed<S, P>> => {
    orThrow(shapes.transpose(order)(sizes(x)))
    return trust(tf.transpose(unwrap(x), [...order]))
  }

// -------------------------------------------------------------------------------------
// the last axis
// -------------------------------------------------------------------------------------

/**
 * Two tensors one after another along the last axis.
 *
 * @example T.concat(tensor([2], [3, 4]))(tensor([2], [1, 2])) // [1, 2, 3, 4]
 */
export const concat =
  <P extends Dims, C2 extends number>(b: Tensor<readonly [...P, C2]>) =>
  <C1 extends number>(a: Tensor<readonly [...P, C1]>): Tensor<readonly [...P, Add<C1, C2>]> =>
    trust(tf.concat([standing('concat', [...sizes(b).slice(0, -1), ...sizes(a).slice(-1)], a), unwrap(b)], -1))

/**
 * `x[…, from : from + size]` along the last axis.
 *
 * @example T.slice(1, 1)(batch([2], [1, 2, 3, 4])) // [2, 4]
 * @throws DiffeoException if a size known only at run time does not fit
 */
export const slice =
  <const From extends number, const Size extends number>(from: From, size: Size) =>
  <P extends Dims, C extends number>(
    x: Told<SliceRefusal<readonly [...P, C], From, Size>> & Tensor<readonly [...P, C]>,
  ): Tensor<readonly [...P, Size]> => {
    const t = unwrap(x)
    orThrow(shapes.slice(from, size)(t.shape))
    const rank = t.rank
    const begin = t.shape.map((_, i) => (i === rank - 1 ? from : 0))
    return trust(tf.slice(t, begin, [...t.shape.slice(0, -1), size]))
  }

/**
 * The last axis in consecutive pieces of the given sizes, which add up to it.
 *
 * @example const [s, t] = T.split([1, 1])(batch([2], [1, 2, 3, 4])) // [1, 3] and [2, 4]
 * @throws DiffeoException if a size known only at run time does not fit
 */
export const split =
  <const Sizes extends readonly number[]>(pieces: Sizes) =>
  <P extends Dims, C extends number>(
    x: Told<SplitRefusal<readonly [...P, C], Sizes>> & Tensor<readonly [...P, C]>,
  ): { readonly [K in keyof Sizes]: Tensor<readonly [...P, Sizes[K] & number]> } => {
    orThrow(shapes.split(pieces)(sizes(x)))
    // a list of tensors as the tuple that `Sizes` is mapped to
    return tf.split(unwrap(x), [...pieces], -1) as never
  }

/**
 * The elements at constant indices of one dimension, counted from 0, the batch. An index may occur several times.
 *
 * @example T.gather([1, 1, 0], 1)(batch([2], [1, 2, 3, 4])) // [2, 2, 1, 4, 4, 3]
 * @throws DiffeoException if an index or an axis known only at run time does not exist
 */
export const gather =
  <const I extends readonly number[], const Axis extends number>(indices: I, axis: Axis) =>
  <S extends Dims>(x: Told<GatherRefusal<S, I, Axis>> & Tensor<S>): Tensor<Gathered<S, I, Axis>> => {
    orThrow(shapes.gather(indices, axis)(sizes(x)))
    return trust(tf.tidy(() => tf.gather(unwrap(x), tf.tensor1d([...indices], 'int32'), axis)))
  }

// -------------------------------------------------------------------------------------
// space and channels
// -------------------------------------------------------------------------------------

/**
 * Each 2×2 square becomes 4 channels, in pixel-unshuffle order: y[i, j, 4c + 2dy + dx] = x[2i + dy, 2j + dx, c].
 *
 * @example T.spaceToDepth(batch([2, 2, 1], [1, 2, 3, 4])) // Tensor<['N', 2, 2, 1]> → Tensor<['N', 1, 1, 4]>
 * @throws DiffeoException if a height or width known only at run time is odd
 */
export const spaceToDepth = <H extends number, W extends number, C extends number>(
  x: Told<ToDepthRefusal<H, W, C>> & Tensor<readonly ['N', H, W, C]>,
): Tensor<ToDepth<H, W, C>> => {
  const [n, ...event] = sizes(x)
  const to = pipe(
    shapes.squeeze(event),
    E.mapLeft((e) => ({ ...e, op: 'spaceToDepth' })),
    orThrow,
  )
  const [h, w] = to
  return trust(
    tf.tidy(() => {
      const squares = tf.reshape(unwrap(x), [n!, h!, 2, w!, 2, event[2]!])
      return tf.reshape(tf.transpose(squares, [0, 1, 3, 5, 2, 4]), [n!, ...to])
    }),
  )
}

/**
 * Every 4 channels become a 2×2 square, in pixel-shuffle order: x[2i + dy, 2j + dx, c] = y[i, j, 4c + 2dy + dx]. Undoes
 * {@link spaceToDepth}.
 *
 * @example T.depthToSpace(batch([1, 1, 4], [1, 2, 3, 4])) // Tensor<['N', 1, 1, 4]> → Tensor<['N', 2, 2, 1]>
 * @throws DiffeoException if channels known only at run time are no multiple of 4
 */
export const depthToSpace = <H extends number, W extends number, C extends number>(
  y: Told<ToSpaceRefusal<H, W, C>> & Tensor<readonly ['N', H, W, C]>,
): Tensor<ToSpace<H, W, C>> => {
  const [n, ...event] = sizes(y)
  const to = orThrow(shapes.depthToSpace(event))
  return trust(
    tf.tidy(() => {
      const squares = tf.reshape(unwrap(y), [n!, event[0]!, event[1]!, to[2]!, 2, 2])
      return tf.reshape(tf.transpose(squares, [0, 1, 4, 2, 5, 3]), [n!, ...to])
    }),
  )
}
