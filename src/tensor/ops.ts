/**
 * Typed, data-last operations: `pipe(x, mul(y), add(b))`. Equal sizes are proved by unification, so generic code over
 * shapes checks in its own body; there is no silent broadcasting: a size known only at run time is compared when the
 * operation runs, which throws a `DiffeoException` of both shapes where they differ.
 *
 * | function | shapes |
 * |---|---|
 * | `add` `sub` `mul` `div` `maximum` `minimum` | S, S → S |
 * | `broadcastAdd` `broadcastSub` `broadcastMul` `broadcastDiv` | S, T → S and T with sizes of 1 repeated |
 * | `greater` `less` `equal` | S, S or a number → S of booleans |
 * | `where` | S of booleans, S or a number, S or a number → S |
 * | `bias` `scale` | […P, C] with [C] |
 * | `addEvent` `mulEvent` | ['N', …S] with S |
 * | `matmul` | […P, K] · [K, M] → […P, M] |
 * | `conv2d` | ['N', H, W, I] ∗ [k, k, I, O] → ['N', H, W, O], stride 1, same padding |
 * | `reshape` | ['N', …S] → ['N', …To], as many elements |
 * | `transpose` | S in another order |
 * | `concat` | […P, C₁], […P, C₂] → […P, C₁ + C₂] |
 * | `slice` `split` | […P, C] → […P, size], one or several |
 * | `gather` | S → S with another size of one dimension |
 * | `spaceToDepth` | ['N', H, W, C] → ['N', H/2, W/2, 4C] |
 * | `depthToSpace` | ['N', H, W, C] → ['N', 2H, 2W, C/4] |
 * | `sumAxis` `meanAxis` `maxAxis` `logSumExp` | S → S without one dimension |
 * | `softmax` `logSoftmax` `cumsum` | S → S, along one dimension |
 * | `sumEvent` | ['N', …S] → ['N'] |
 * | `sum` `mean` | S → [] |
 * | `vjp` `jvp` | (S → U), U → (S → S); (S → U), S → (S → U) |
 * | `jacobian` | (['N', …A] → ['N', …B]) → (['N', …A] → ['N', …B, …A]) |
 * | `stopGradient` | S → S |
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Batch, Dims } from '../../types/shape.js'
import { orThrow } from '../error.js'
import { numberIn, sizesIn } from './numbers.js'
import { clipBounds } from './options.js'
import { sizes, standing, type Tensor, tensorIn, trust, unwrap } from './tensor.js'

export * from './broadcast.js'
export * from './comparisons.js'
export { jacobian, jvp, stopGradient, vjp } from './derivatives.js'
export * from './reductions.js'
export * from './structure.js'

// -------------------------------------------------------------------------------------
// arithmetic
// -------------------------------------------------------------------------------------

const binary =
  (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  <S extends Dims>(b: Tensor<S>) =>
  (a: Tensor<NoInfer<S>>): Tensor<S> =>
    trust(op(standing(name, sizesIn(name)(b), a), unwrap(b)))

/**
 * a + b
 * @example T.add(tensor([2], [3, 4]))(tensor([2], [1, 2])) // [4, 6]
 */
export const add = binary('add', tf.add)
/**
 * a − b, where `sub(b)(a)`
 * @example T.sub(tensor([2], [3, 4]))(tensor([2], [1, 2])) // [-2, -2]
 */
export const sub = binary('sub', tf.sub)
/**
 * a · b, element by element
 * @example T.mul(tensor([2], [3, 4]))(tensor([2], [1, 2])) // [3, 8]
 */
export const mul = binary('mul', tf.mul)
/**
 * a / b, where `div(b)(a)`
 * @example T.div(tensor([2], [4, 4]))(tensor([2], [1, 2])) // [0.25, 0.5]
 */
export const div = binary('div', tf.div)
/**
 * max(a, b), element by element
 * @example T.maximum(tensor([2], [3, 0]))(tensor([2], [1, 2])) // [3, 2]
 */
export const maximum = binary('maximum', tf.maximum)
/**
 * min(a, b), element by element
 * @example T.minimum(tensor([2], [3, 0]))(tensor([2], [1, 2])) // [1, 0]
 */
export const minimum = binary('minimum', tf.minimum)

/**
 * x + c
 * @example T.plus(10)(tensor([2], [1, 2])) // [11, 12]
 */
export const plus =
  (c: number) =>
  <S extends Dims>(x: Tensor<S>): Tensor<S> =>
    trust(tf.add(tensorIn('plus', x), numberIn('plus', c, 'add tensors with add')))
/**
 * x · c
 * @example T.times(10)(tensor([2], [1, 2])) // [10, 20]
 */
export const times =
  (c: number) =>
  <S extends Dims>(x: Tensor<S>): Tensor<S> =>
    trust(tf.mul(tensorIn('times', x), numberIn('times', c, 'multiply tensors with mul')))

const lastAxis =
  (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  <C extends number>(b: Tensor<readonly [C]>) =>
  <P extends Dims>(x: Tensor<readonly [...P, C]>): Tensor<readonly [...P, C]> =>
    trust(op(standing(name, [...sizesIn(name)(x).slice(0, -1), ...sizesIn(name)(b)], x), unwrap(b)))
/**
 * x + b along the last axis
 * @example T.bias(tensor([2], [10, 20]))(batch([2], [1, 2, 3, 4])) // [11, 22, 13, 24]
 */
export const bias = lastAxis('bias', tf.add)
/**
 * x · g along the last axis
 * @example T.scale(tensor([2], [10, 20]))(batch([2], [1, 2, 3, 4])) // [10, 40, 30, 80]
 */
export const scale = lastAxis('scale', tf.mul)

const event =
  (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  <S extends Dims>(b: Tensor<S>) =>
  (x: Tensor<Batch<S>>): Tensor<Batch<S>> =>
    trust(op(standing(name, [...sizesIn(name)(x).slice(0, 1), ...sizesIn(name)(b)], x), unwrap(b)))
/**
 * x + b for every example of the batch
 * @example T.addEvent(tensor([2], [10, 20]))(batch([2], [1, 2, 3, 4])) // [11, 22, 13, 24]
 */
export const addEvent = event('addEvent', tf.add)
/**
 * x · b for every example of the batch
 * @example T.mulEvent(tensor([2], [10, 20]))(batch([2], [1, 2, 3, 4])) // [10, 40, 30, 80]
 */
export const mulEvent = event('mulEvent', tf.mul)

// -------------------------------------------------------------------------------------
// element by element
// -------------------------------------------------------------------------------------

const unary =
  (name: string, op: (x: tf.Tensor) => tf.Tensor) =>
  <S extends Dims>(x: Tensor<S>): Tensor<S> =>
    trust(op(tensorIn(name, x)))
/**
 * −x
 * @example T.neg(tensor([2], [1, 2])) // [-1, -2]
 */
export const neg = unary('neg', tf.neg)
/**
 * eˣ
 * @example T.exp(tensor([2], [0, 1])) // [1, 2.718]
 */
export const exp = unary('exp', tf.exp)
/**
 * Natural logarithm
 * @example T.log(tensor([2], [1, 2])) // [0, 0.693]
 */
export const log = unary('log', tf.log)
/**
 * eˣ − 1, exact near 0
 * @example T.expm1(tensor([2], [0, 1])) // [0, 1.718]
 */
export const expm1 = unary('expm1', tf.expm1)
/**
 * log(1 + x), exact near 0
 * @example T.log1p(tensor([2], [0, 1])) // [0, 0.693]
 */
export const log1p = unary('log1p', tf.log1p)
/**
 * Sine
 * @example T.sin(tensor([2], [0, 1])) // [0, 0.841]
 */
export const sin = unary('sin', tf.sin)
/**
 * Cosine
 * @example T.cos(tensor([2], [0, 1])) // [1, 0.540]
 */
export const cos = unary('cos', tf.cos)
/**
 * Hyperbolic tangent
 * @example T.tanh(tensor([2], [0, 1])) // [0, 0.762]
 */
export const tanh = unary('tanh', tf.tanh)
/**
 * 1 / (1 + e⁻ˣ)
 * @example T.sigmoid(tensor([2], [0, 1])) // [0.5, 0.731]
 */
export const sigmoid = unary('sigmoid', tf.sigmoid)
/**
 * log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|), which neither overflows nor loses small values; its gradient is 1/(1 + e⁻ˣ)
 * @example T.softplus(tensor([2], [0, 100])) // [0.693, 100]
 */
export const softplus = unary('softplus', (x) => tf.tidy(() => smoothed(x)))
const smoothed = tf.customGrad((v, save) => {
  const x = v as tf.Tensor
  ;(save as tf.GradSaveFunc)([x])
  return {
    value: tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x))))),
    gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, tf.sigmoid(saved!)),
  }
})
/**
 * max(x, 0)
 * @example T.relu(tensor([2], [-1, 2])) // [0, 2]
 */
export const relu = unary('relu', tf.relu)
/**
 * x²
 * @example T.square(tensor([2], [-1, 2])) // [1, 4]
 */
export const square = unary('square', tf.square)
/**
 * √x
 * @example T.sqrt(tensor([2], [4, 9])) // [2, 3]
 */
export const sqrt = unary('sqrt', tf.sqrt)
/**
 * |x|
 * @example T.abs(tensor([2], [-1, 2])) // [1, 2]
 */
export const abs = unary('abs', tf.abs)
/**
 * x between two bounds: min(max(x, low), high). Its gradient is 0 outside the bounds.
 * @example T.clip(-1, 1)(tensor([3], [-2, 0.5, 2])) // [-1, 0.5, 1]
 * @throws DiffeoException if a bound is no number, or `low` is above `high`
 */
export const clip =
  (low: number, high: number) =>
  <S extends Dims>(x: Tensor<S>): Tensor<S> => {
    orThrow(clipBounds(low, high))
    return trust(tf.clipByValue(tensorIn('clip', x), low, high))
  }

// -------------------------------------------------------------------------------------
// linear
// -------------------------------------------------------------------------------------

/**
 * x · w
 * @example T.matmul(tensor([2, 1], [1, 10]))(batch([2], [1, 2, 3, 4])) // [21, 43]
 */
export const matmul =
  <K extends number, M extends number>(w: Tensor<readonly [K, M]>) =>
  <P extends Dims>(x: Tensor<readonly [...P, K]>): Tensor<readonly [...P, M]> =>
    trust(
      tf.tidy(() => {
        const [outer, [k, m]] = [sizes(x).slice(0, -1), sizes(w)]
        const rows = tf.reshape(standing('matmul', [...outer, k!], x), [-1, k!])
        return tf.reshape(tf.matMul(rows, unwrap(w)), [...outer, m!])
      }),
    )

/**
 * Two-dimensional convolution, stride 1, same padding, so that height and width stay.
 * @example T.conv2d(tensor([1, 1, 1, 1], [10]))(batch([1, 2, 1], [1, 2])) // [10, 20]
 */
export const conv2d =
  <Kh extends number, Kw extends number, I extends number, O extends number>(kernel: Tensor<readonly [Kh, Kw, I, O]>) =>
  <H extends number, W extends number>(x: Tensor<readonly ['N', H, W, I]>): Tensor<readonly ['N', H, W, O]> => {
    const image = standing('conv2d', [...sizes(x).slice(0, 3), sizes(kernel)[2]!], x)
    return trust(tf.conv2d(image as tf.Tensor4D, unwrap(kernel) as tf.Tensor4D, 1, 'same'))
  }

/**
 * Frees what `f` allocates but does not return.
 * @example T.tidy(() => T.square(T.square(tensor([2], [1, 2])))) // [1, 16]
 */
export const tidy = <A>(f: () => A): A => tf.tidy(f as () => tf.TensorContainer) as A
