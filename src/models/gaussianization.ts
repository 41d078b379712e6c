/**
 * Gaussianization flows, made only of public parts.
 *
 * @module
 */
import type { Same } from '../../types/shape.js'
import { elementwiseOf } from '../bijector/elementwise-of.js'
import { rotation } from '../bijector/exponential-linear.js'
import type { Layer } from '../bijector/layer.js'
import { actNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import type { Transformer } from '../bijector/transformer.js'
import { spline } from '../bijector/transformers/spline.js'
import { count } from '../tensor/options.js'
import { stack } from './stack.js'

export interface GaussianizationOptions {
  /** How often the variables are bent and rotated. Default: 8 */
  readonly layers?: number
  /** How a variable bends. Default: a rational-quadratic spline of 16 pieces */
  readonly transformer?: Transformer
}

/**
 * A Gaussianization flow (Chen & Gopinath 2000; Meng et al. 2020): each layer bends every variable separately, towards a
 * normal, and rotates all of them. There is no net, so it has few parameters and both directions are fast, but it accepts no
 * context and needs more layers.
 *
 * @example
 * const tabular = density([6], gaussianization({ layers: 12 }))
 */
export const gaussianization = ({
  layers = 8,
  transformer = spline({ bins: 16 }),
}: GaussianizationOptions = {}): Layer<Same> =>
  withOptions('gaussianization', [count('layers', layers)], () =>
    stack<Same>([
      ...Array.from({ length: layers }, () => [actNorm, elementwiseOf(transformer), rotation()]).flat(),
      actNorm,
      elementwiseOf(transformer),
    ]),
  )
