/**
 * Orthogonal maps as products of reflections (Tomczak & Welling 2016, Eq. 9).
 *
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Same } from '../../types/shape.js'
import { count } from '../tensor/options.js'
import { gaussian } from '../tensor/params.js'
import { type AnyTensor, unwrap } from '../tensor/tensor.js'
import type { Layer } from './layer.js'
import { linear } from './linear.js'
import { withOptions } from './options.js'
import { reflections as productOf } from './orthogonal.js'

export interface HouseholderOptions {
  /** K, how many reflections; C of them make every orthogonal map. Default: 4 */
  readonly reflections?: number
}

/**
 * A learned orthogonal map of the last axis, a product of reflections. Starts at random. The matrix takes K·C² work in K
 * sequential steps, then one product with the values; the inverse is the transpose. Memory: two results,
 * and K matrices for the gradient.
 *
 * - Forward: y = x·Q, Q = Π (I − 2vₖvₖᵀ/‖vₖ‖²)
 * - Forward log-det: 0
 * - Inverse: x = y·Qᵀ
 * - Inverse log-det: 0
 *
 * @example compose(input([6]), coupling(halves()), householder({ reflections: 6 }), coupling(halves()))
 */
export const householder = ({ reflections = 4 }: HouseholderOptions = {}): Layer<Same> =>
  withOptions('householder', [count('reflections', reflections)], () =>
    linear(
      'householder',
      (c) => ({ axes: gaussian([reflections, c], 1) }),
      (c) => {
        const matrix = ({ axes }: { readonly axes: AnyTensor }) => productOf(unwrap(axes), c)
        return { forward: (p) => [matrix(p)], inverse: (p) => [tf.transpose(matrix(p))] }
      },
    ),
  )
