/**
 * Derivatives of maps of tensors, as maps of tensors: they compose (a vjp of a vjp is a product with a Hessian), and work
 * inside `jit`, where a forward pass that several of them repeat runs once. The table is in `ops.ts`.
 *
 * Laws. ⟨u, J v⟩ = ⟨Jᵀu, v⟩, where J v is `jvp(f)(v)` and Jᵀu is `vjp(f)(u)`; both are products with `jacobian(f)`,
 * example by example. A map that does not depend on x has derivative 0.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Dims, Shape } from '../../types/shape.js'
import { DiffeoException, shapeError } from '../error.js'
import { product, show } from './shape.js'
import { sizes, standing, type Tensor, trust, unwrap } from './tensor.js'

/**
 * The gradients of ⟨dy, f()⟩ by tensors that `f` uses: zeros for those on which the result does not depend, where
 * `tf.grads` throws. Without `dy`, the gradients of the sum of the result.
 *
 * @internal
 */
export const gradientsBy = (f: () => tf.Tensor, xs: readonly tf.Tensor[], dy?: tf.Tensor): tf.Tensor[] =>
  tf.tidy(() => {
    // a clone, so that the gradient of a map that returns its argument is not `dy` itself
    const { grads } = tf.engine().gradients(() => tf.clone(f()), [...xs], dy, true)
    return grads.map((gradient: tf.Tensor | undefined, i) => gradient ?? tf.zerosLike(xs[i]!))
  })

/**
 * Jᵀu, the vector-Jacobian product of a map at x: the gradient of ⟨u, f(x)⟩.
 *
 * @example
 * const u = batch([2], [1, 1])
 * T.vjp((x: BatchOf<[2]>) => T.square(x))(u)(batch([2], [3, 4])) // [6, 8]
 * @throws DiffeoException if u has another shape than f(x)
 */
export const vjp =
  <S extends Dims, U extends Dims>(f: (x: Tensor<S>) => Tensor<U>) =>
  (u: Tensor<U>) =>
  (x: Tensor<S>): Tensor<S> => {
    const value = (): tf.Tensor => {
      const y = f(x)
      standing('vjp', sizes(y), u)
      return unwrap(y)
    }
    return trust(gradientsBy(value, [unwrap(x)], unwrap(u))[0]!)
  }

/**
 * J v, the Jacobian-vector product of a map at x: the derivative of f along v. The vjp is linear in u, so its own gradient
 * by u, at u = 0 or anywhere, is J v.
 *
 * @example
 * const v = batch([2], [1, 0])
 * T.jvp((x: BatchOf<[2]>) => T.square(x))(v)(batch([2], [3, 4])) // [6, 0]
 * @throws DiffeoException if v has another shape than x
 */
export const jvp =
  <S extends Dims, U extends Dims>(f: (x: Tensor<S>) => Tensor<U>) =>
  (v: Tensor<S>) =>
  (x: Tensor<S>): Tensor<U> => {
    const along = standing('jvp', sizes(x), v)
    return trust(
      tf.tidy(() => {
        const u = tf.fill([...sizes(f(x))], 0)
        return gradientsBy(() => unwrap(vjp(f)(trust<U>(u))(x)), [u], along)[0]!
      }),
    )
  }

/**
 * The Jacobian of a map of examples, one for each: entry [n, …i, …j] is the derivative of element i of the result by
 * element j of example n. The map must treat examples independently, and use no other tensor with one row per example:
 * it runs on a batch in which each example is repeated once per element of its result, so that one backward pass
 * computes all rows.
 *
 * @example
 * const w = tensor([2, 1], [5, 7])
 * T.jacobian((x: BatchOf<[2]>) => T.matmul(w)(x))(batch([2], [3, 4])) // [5, 7]
 * @throws DiffeoException if the map does not return one result per example
 */
export const jacobian =
  <A extends Shape, B extends Shape>(f: (x: Tensor<Batch<A>>) => Tensor<Batch<B>>) =>
  (x: Tensor<Batch<A>>): Tensor<readonly ['N', ...B, ...A]> =>
    trust(
      tf.tidy(() => {
        const [n, ...from] = sizes(x)
        const [results, ...to] = sizes(f(x))
        if (results !== n)
          throw new DiffeoException(shapeError('jacobian', `${n} results for ${n} examples`, show([results!, ...to])))
        const [columns, rows] = [product(from), product(to)]
        const copies = tf.reshape(tf.tile(tf.reshape(unwrap(x), [n!, 1, columns]), [1, rows, 1]), [n! * rows, ...from])
        const basis = tf.reshape(tf.tile(tf.eye(rows), [n!, 1]), [n! * rows, ...to])
        return tf.reshape(unwrap(vjp(f)(trust(basis))(trust(copies))), [n!, ...to, ...from])
      }),
    )

/**
 * The same tensor, treated as a constant by gradients.
 *
 * @example
 * const squared = (x: BatchOf<[2]>) => T.mul(T.stopGradient(x))(x) // its gradient is x, not 2x
 * T.vjp(squared)(batch([2], [1, 1]))(batch([2], [3, 4])) // [3, 4]
 */
export const stopGradient = <S extends Dims>(x: Tensor<S>): Tensor<S> =>
  // a custom gradient by no inputs: inside, nothing is recorded, and no path leads from x to it
  trust(tf.customGrad(() => ({ value: tf.clone(unwrap(x)), gradFunc: () => [] }))())
