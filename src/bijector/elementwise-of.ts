/**
 * A transformer whose θ is a parameter: a separate bijection for each variable, independent of the other variables. It
 * fits marginals: before a base distribution, or one layer of Gaussianization.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import type { Same } from '../../types/shape.js'
import { constant, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import { product } from '../tensor/shape.js'
import { type AnyTensor, type PerExample, sizes, trust, unwrap } from '../tensor/tensor.js'
import { bijector } from './bijector.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { REALS } from './support.js'
import type { Elementwise, Theta, Transformer } from './transformer.js'

/** θ of shape [V, width] for every example of a batch of this shape. */
const thetaOf = (own: tf.Tensor, shape: readonly number[]): Theta => {
  const [n, ...event] = shape as [number, ...number[]]
  const [variables, width] = own.shape as [number, number]
  return {
    numbers: () =>
      Array.from({ length: width }, (_, k) => {
        const number = tf.reshape(tf.slice(own, [0, k], [variables, 1]), [1, ...event])
        return trust(tf.tile(number, [n, ...event.map(() => 1)]))
      }),
    rows: () => tf.expandDims(own, 0),
    project: (v) => v,
  }
}

/**
 * The transformer g with separate parameters θ for each variable. Starts as g at θ = 0, the identity in most families.
 *
 * - Forward: yᵢ = g(xᵢ; θᵢ)
 * - Forward log-det: Σ log |g′(xᵢ; θᵢ)|
 * - Inverse: xᵢ = g⁻¹(yᵢ; θᵢ)
 * - Inverse log-det: −Σ log |g′(xᵢ; θᵢ)|
 *
 * @example compose(input([3]), elementwiseOf(Transformers.spline({ bins: 16 })))
 */
export const elementwiseOf = <S extends Spec>({
  name: family,
  options = [],
  width,
  support = REALS,
  range = REALS,
  spec,
  at,
}: Transformer<S>): Layer<Same> => {
  const name = `${family}Elementwise`
  return withOptions(name, options, () =>
    layer<Same>(name, (shape) => {
      const direction =
        (way: keyof Elementwise) =>
        (
          params: ParamsOf<{ readonly theta: ReturnType<typeof constant> }>,
          x: AnyTensor,
        ): readonly [AnyTensor, PerExample] =>
          at(params as Params as ParamsOf<S>, thetaOf(unwrap(params.theta as AnyTensor), sizes(x)))[way](x)
      return E.right(
        bijector({
          name,
          domain: shape,
          codomain: shape,
          support,
          range,
          spec: { theta: constant([product(shape), width], 0), ...spec(shape.at(-1) ?? 1) },
          forward: direction('forward'),
          inverse: direction('inverse'),
        }),
      )
    }),
  )
}
