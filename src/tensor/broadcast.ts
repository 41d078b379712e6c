/**
 * Arithmetic that repeats sizes of 1, with the resulting shape in the types. The table is in `ops.ts`.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Told } from '../../types/check.js'
import type { Broadcast, BroadcastRefusal } from '../../types/ops.js'
import type { Dims } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { sizesIn } from './numbers.js'
import * as shapes from './shape.js'
import { type Tensor, trust, unwrap } from './tensor.js'

const broadcasting =
  <Op extends string>(name: Op, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  <B extends Dims>(b: Tensor<B>) =>
  <A extends Dims>(a: Told<BroadcastRefusal<Op, A, B>> & Tensor<A>): Tensor<Broadcast<A, B>> => {
    orThrow(shapes.broadcast(name, sizesIn(name)(b))(sizesIn(name)(a)))
    return trust(op(unwrap(a), unwrap(b)))
  }

/**
 * a + b, where sizes of 1 and missing leading dimensions are repeated. The last dimensions correspond.
 * @example T.broadcastAdd(tensor([2, 1], [10, 20]))(tensor([2], [1, 2])) // [11, 12, 21, 22]
 * @throws DiffeoException if sizes known only at run time differ and none of them is 1
 */
export const broadcastAdd = broadcasting('broadcastAdd', tf.add)
/**
 * a − b, where sizes of 1 and missing leading dimensions are repeated
 * @example T.broadcastSub(tensor([2, 1], [10, 20]))(tensor([2], [1, 2])) // [-9, -8, -19, -18]
 * @throws DiffeoException if sizes known only at run time differ and none of them is 1
 */
export const broadcastSub = broadcasting('broadcastSub', tf.sub)
/**
 * a · b, where sizes of 1 and missing leading dimensions are repeated
 * @example T.broadcastMul(tensor([2, 1], [10, 20]))(tensor([2], [1, 2])) // [10, 20, 20, 40]
 * @throws DiffeoException if sizes known only at run time differ and none of them is 1
 */
export const broadcastMul = broadcasting('broadcastMul', tf.mul)
/**
 * a / b, where sizes of 1 and missing leading dimensions are repeated
 * @example T.broadcastDiv(tensor([2, 1], [2, 4]))(tensor([2], [1, 2])) // [0.5, 1, 0.25, 0.5]
 * @throws DiffeoException if sizes known only at run time differ and none of them is 1
 */
export const broadcastDiv = broadcasting('broadcastDiv', tf.div)
