/**
 * Piecewise-linear bijections (Müller et al. 2019, "Neural Importance Sampling", section 4.1): K pieces of equal width on
 * [−B, B], whose heights a conditioner supplies, and the identity outside.
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { count, positive } from '../../tensor/options.js'
import { rowTransformer, type Transformer } from '../transformer.js'
import { bounded, chosen, type Each, eachDirection, identityOutside, LEAST, type Row, spans } from './rows.js'
import type { SplineOptions } from './spline.js'

/**
 * Piecewise-linear bijections on [−B, B], the identity outside. Starts as the identity. It takes K numbers for each
 * variable. The density jumps at the K + 1 knots, so prefer `quadraticSpline` or `spline` where it should be smooth.
 *
 * With w = 2B/K, knots xₖ = −B + kw, heights h = 2B·softmax(θ) of at least a hundredth of 2B, and yₖ = −B + h₀ + … + hₖ₋₁,
 * the inverse is exact to a few roundings of B over the slope. Memory: O(K) for each variable.
 *
 * - Forward: y = yₖ + (hₖ/w)(x − xₖ) in piece k
 * - Forward log-det: Σ log(hₖ/w)
 * - Inverse: x = xₖ + (w/hₖ)(y − yₖ) in piece k
 * - Inverse log-det: −Σ log(hₖ/w)
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.linearSpline({ bins: 16 }))())
 */
export const linearSpline = ({ bins = 8, bound = 3 }: SplineOptions = {}): Transformer =>
  rowTransformer(
    'linearSpline',
    [count('bins', bins, { most: Math.ceil(1 / LEAST) - 1 }), positive('bound', bound)],
    bins,
    (rows) => {
      const width = (2 * bound) / bins
      const [height, bottom] = spans(bounded(rows), -bound, 2 * bound)
      const left: Row = tf.tensor3d(
        Array.from({ length: bins }, (_, k) => k * width - bound),
        [1, 1, bins],
      )
      return eachDirection((inverse) =>
        identityOutside(bound, (value) => {
          const own = chosen(value, inverse ? bottom : left)
          const at = (row: Row): Each => tf.sum(tf.mul(own, row), 2, true)
          const [x0, y0, slope] = [at(left), at(bottom), tf.mul(at(height), 1 / width)]
          const other = inverse
            ? tf.add(x0, tf.div(tf.sub(value, y0), slope))
            : tf.add(y0, tf.mul(tf.sub(value, x0), slope))
          return [other, tf.log(slope)]
        }),
      )
    },
  )
