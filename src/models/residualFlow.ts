/**
 * Residual flows, made only of public parts.
 *
 * @module
 */
import type { SameVector } from '../../types/shape.js'
import type { Layer } from '../bijector/layer.js'
import { actNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import { type ResidualOptions, residual } from '../bijector/residual.js'
import { count } from '../tensor/options.js'
import { stack } from './stack.js'

export interface ResidualFlowOptions extends ResidualOptions {
  /** How many residual layers. Default: 8 */
  readonly layers?: number
}

/**
 * A residual flow (Chen et al. 2019) for up to 64 variables: residual layers between ActNorms. Every layer changes all
 * variables at once, and its log-det is exact where the authors estimate it. A sample takes an iteration for each layer. In a
 * conditional flow, every net sees the context.
 *
 * @example
 * const tabular = density([6], residualFlow({ layers: 4, hidden: [64, 64] }))
 */
export const residualFlow = ({ layers = 8, ...options }: ResidualFlowOptions = {}): Layer<SameVector> =>
  withOptions('residualFlow', [count('layers', layers)], () =>
    stack<SameVector>([actNorm, ...Array.from({ length: layers }, () => [residual(options), actNorm]).flat()]),
  )
