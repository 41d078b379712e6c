/**
 * Masked autoregressive flows (Papamakarios et al. 2017): yᵢ = g(xᵢ; θᵢ(x₁ … xᵢ₋₁)), with θ from one masked net. Density
 * takes one pass. Sampling goes through the variables in turn, at the cost of about half a pass in total (see
 * `src/nn/made.ts`), but in D sequential steps. Its `reverse` is an inverse autoregressive flow (Kingma
 * et al. 2016): fast samples, slow densities.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { SameVector } from '../../types/shape.js'
import { made } from '../nn/made.js'
import { neg } from '../tensor/ops.js'
import { counts, oneOf } from '../tensor/options.js'
import { branch, type Params, type ParamsOf, type Spec } from '../tensor/params.js'
import { product, sameVector } from '../tensor/shape.js'
import { type AnyTensor, sizes, trust, unwrap } from '../tensor/tensor.js'
import { mapTensors } from '../tree.js'
import { forEach } from './context.js'
import { fromRunsGiven } from './from-runs.js'
import { type Layer, layer } from './layer.js'
import { withOptions } from './options.js'
import { between, type Run } from './runs.js'
import { REALS } from './support.js'
import type { Theta, Transformer } from './transformer.js'

export interface AutoregressiveOptions {
  /** Widths of the hidden layers of the masked net, each at least 1. Default: [64, 64] */
  readonly hidden?: readonly number[]
  readonly activation?: 'relu' | 'tanh'
}

/** Rows [N, V, width] as θ. */
const thetaOf = (rows: tf.Tensor): Theta => ({
  numbers: () =>
    Array.from({ length: rows.shape[2]! }, (_, k) => trust(tf.squeeze(tf.slice(rows, [0, 0, k], [-1, -1, 1]), [2]))),
  rows: () => rows,
  project: (v) => v,
})

/** The parameters of a transformer for variable i alone: each has one row for each variable. */
const ofVariable = ({ net: _, ...own }: Params, i: number): Params => mapTensors(own, (all) => tf.slice(all, [i], [1]))

/**
 * The autoregressive layer of a transformer g with parameters θ from a masked net.
 *
 * - Forward: yᵢ = g(xᵢ; θᵢ(x₁ … xᵢ₋₁))
 * - Forward log-det: Σ log |g′(xᵢ; θᵢ)|
 * - Inverse: xᵢ = g⁻¹(yᵢ; θᵢ(x₁ … xᵢ₋₁)), for i from 1 to D
 * - Inverse log-det: −Σ log |g′(xᵢ; θᵢ)|
 *
 * In a conditional flow, θ depends on the context as well. Starts as g at θ = 0, the identity in most families.
 *
 * @example
 * const maf = autoregressiveOf(Transformers.affine())
 * compose(input([3]), maf({ hidden: [64, 64] }), flip, maf())
 */
export const autoregressiveOf =
  <S extends Spec>({
    name: family,
    options: own = [],
    width,
    support = REALS,
    range = REALS,
    spec,
    at,
  }: Transformer<S>) =>
  ({ hidden = [64, 64], activation = 'relu' }: AutoregressiveOptions = {}): Layer<SameVector> => {
    const name = `${family}Autoregressive`
    const options = [...own, counts('hidden widths', hidden), oneOf('activation', activation, ['relu', 'tanh'])]
    return withOptions(name, options, () =>
      layer<SameVector>(name, (shape, given) =>
        pipe(
          sameVector(shape),
          E.map(([d]) => {
            const context = given === undefined ? 0 : product(given)
            const net = made({ variables: d!, context, width, hidden, activation })
            const contextOf = (x: AnyTensor, contexts: AnyTensor | undefined): tf.Tensor | undefined => {
              const n = sizes(x)[0]!
              return contexts && tf.reshape(unwrap(forEach(n, contexts)), [n, context])
            }
            const forward: Run = ({ params, values: [x], given: contexts }) => {
              const c = contextOf(x!, contexts)
              const seen = c === undefined ? unwrap(x!) : tf.concat([c, unwrap(x!)], 1)
              const [y, logDet] = at(params as ParamsOf<S>, thetaOf(net.run(branch(params, 'net'), seen))).forward(x!)
              return { values: [y], logDet, params }
            }
            const inverse: Run = (input) => {
              const { params, values, given: contexts } = input
              const y = values[0]!
              const n = sizes(y)[0]!
              const x = net.columns(branch(params, 'net'), contextOf(y, contexts), n, (row, i) => {
                const column = trust(tf.slice(unwrap(y), [0, i], [n, 1]))
                return unwrap(at(ofVariable(params, i) as ParamsOf<S>, thetaOf(row)).inverse(column)[0])
              })
              const { logDet } = forward({ ...input, values: [trust(x)] })
              return { values: [trust(x)], logDet: neg(logDet), params }
            }
            return fromRunsGiven(given, {
              name,
              domain: shape,
              codomain: shape,
              support,
              range,
              spec: { net: net.spec, ...spec(d!) },
              forward: between(support, range, forward),
              inverse: between(range, support, inverse),
            })
          }),
        ),
      ),
    )
  }
