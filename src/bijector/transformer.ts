/**
 * Transformers: families of elementwise bijections y = g(x; θ) with a few numbers θ for each variable. A conditioner
 * supplies θ, and each pair of a family and a conditioner is a layer:
 *
 * | conditioner | θ of variable i depends on |
 * |---|---|
 * | `couplingOf(g)(mask, net)` | the variables that the mask keeps |
 * | `autoregressiveOf(g)(options)` | the variables before i |
 * | `elementwiseOf(g)` | nothing: θ is a parameter |
 *
 * In all three the Jacobian is triangular, so log |det J| = Σ log |∂yᵢ/∂xᵢ|.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { sumEvent } from '../tensor/ops.js'
import type { Option } from '../tensor/options.js'
import type { ParamsOf, Spec } from '../tensor/params.js'
import { type AnyTensor, type PerExample, sizes, trust, unwrap } from '../tensor/tensor.js'
import type { Interval } from './support.js'

/** An elementwise bijection at given parameters: values, and the log-det of each example. */
export interface Elementwise {
  readonly forward: (x: AnyTensor) => readonly [y: AnyTensor, logDet: PerExample]
  readonly inverse: (y: AnyTensor) => readonly [x: AnyTensor, logDet: PerExample]
}

/** θ, the numbers that a conditioner returns for each variable, in either of two layouts. */
export interface Theta {
  /** `width` tensors shaped like the values, one for each number. */
  readonly numbers: () => readonly AnyTensor[]
  /** One tensor of shape [N, V, width], a row for each of the V variables; [1, V, width] if all examples have the same. */
  readonly rows: () => tf.Tensor
  /** Sets the variables that a mask keeps to 0. Values and log-dets must be 0 there. */
  readonly project: (v: AnyTensor) => AnyTensor
}

/** A family of elementwise bijections. At θ = 0, where flows start, it should be the identity. */
export interface Transformer<S extends Spec = Spec> {
  readonly name: string
  /** The requirements of its options: a conditioner refuses wrong ones. */
  readonly options?: readonly Option[]
  /** How many numbers it takes for each variable. */
  readonly width: number
  /** The values that a changing variable may have; they must include 0. Default: all */
  readonly support?: Interval
  /** The same for `inverse`. */
  readonly range?: Interval
  /** Parameters besides θ, for this many channels. */
  readonly spec: (channels: number) => S
  /** The bijection at these parameters and this θ. Use one layout of θ, not both: they order the same numbers differently. */
  // a method, so that a transformer with parameters of its own is a `Transformer`
  at(params: ParamsOf<S>, theta: Theta): Elementwise
}

/** A function of values [N, V] that returns the new values and log |derivative| of each. */
export type EachRow = (values: tf.Tensor) => readonly [values: tf.Tensor, logSlope: tf.Tensor]

/**
 * A transformer from functions of values [N, V] and rows [N, V, width], or [1, V, width] for all examples.
 *
 * @internal
 */
export const rowTransformer = (
  name: string,
  options: readonly Option[],
  width: number,
  at: (rows: tf.Tensor) => { readonly forward: EachRow; readonly inverse: EachRow },
): Transformer<Record<never, never>> => ({
  name,
  options,
  width,
  spec: () => ({}),
  at: (_, { rows, project }) => {
    const row = rows()
    const functions = at(row)
    const direction = (f: EachRow) => (x: AnyTensor) => {
      const [y, logSlope] = f(tf.reshape(unwrap(x), [sizes(x)[0]!, row.shape[1]!]))
      const like = (each: tf.Tensor): AnyTensor => project(trust(tf.reshape(each, [...sizes(x)])))
      return [like(y), sumEvent(like(logSlope))] as const
    }
    return { forward: direction(functions.forward), inverse: direction(functions.inverse) }
  },
})
