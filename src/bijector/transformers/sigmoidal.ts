/**
 * Deep sigmoidal flows (Huang et al. 2018, "Neural Autoregressive Flows", Eq. 8): a net with one input and one output,
 * positive weights and sigmoids, whose weights a conditioner supplies.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count } from '../../tensor/options.js'
import { type EachRow, rowTransformer, type Transformer } from '../transformer.js'
import { componentsOf, logisticMixture } from './mixture.js'
import { piece, risingDirections } from './rows.js'

export interface SigmoidalOptions {
  /** K, the number of sigmoids of each layer. Default: 4 */
  readonly units?: number
  /** L, the number of layers. Default: 2 */
  readonly layers?: number
}

/**
 * Deep sigmoidal flows: L layers of K sigmoids. It takes 3K numbers for each layer and variable: w = softmax, and μ and
 * log s, a = 1/s and b = −μ/s. At θ = 0 each layer is that of `mixture`, so close to the identity, not equal to it.
 *
 * The inverse goes backwards through the layers. That of each is a root between the values of x at which its sigmoids have
 * the result, found by 16 halvings and two steps of Newton's method. Its values have an error of a few roundings of y over
 * the slope. Memory: O(KL) for each variable.
 *
 * - Forward: x⁽⁰⁾ = x, x⁽ˡ⁾ = logit Σₖ wₖσ(aₖx⁽ˡ⁻¹⁾ + bₖ), y = x⁽ᴸ⁾
 * - Forward log-det: Σ Σₗ log dx⁽ˡ⁾/dx⁽ˡ⁻¹⁾
 * - Inverse: x⁽ˡ⁻¹⁾ is the root of layer l at x⁽ˡ⁾, for l from L to 1
 * - Inverse log-det: −Σ Σₗ log dx⁽ˡ⁾/dx⁽ˡ⁻¹⁾
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.sigmoidal({ units: 8, layers: 1 }))())
 */
export const sigmoidal = ({ units = 4, layers = 2 }: SigmoidalOptions = {}): Transformer =>
  rowTransformer('sigmoidal', [count('units', units), count('layers', layers)], 3 * units * layers, (rows) => {
    const all = Array.from({ length: layers }, (_, l) => {
      const { logit, bracket } = logisticMixture(...componentsOf(piece(rows, 3 * units * l, 3 * units), units))
      return risingDirections(logit, bracket)
    })
    const through =
      (directions: readonly EachRow[]): EachRow =>
      (values) =>
        directions.reduce<readonly [tf.Tensor, tf.Tensor]>(
          ([at, sum], direction) => {
            const [next, logSlope] = direction(at)
            return [next, tf.add(sum, logSlope)]
          },
          [values, tf.zerosLike(values)],
        )
    return {
      forward: through(all.map(({ forward }) => forward)),
      inverse: through(all.map(({ inverse }) => inverse).toReversed()),
    }
  })
