/**
 * Premade flows over vectors: masked, inverse and neural autoregressive flows, and neural spline flows,
 * made only of public parts.
 *
 * @module
 */
import type { SameVector } from '../../types/shape.js'
import { type AutoregressiveOptions, autoregressiveOf } from '../bijector/autoregressive.js'
import { couplingOf } from '../bijector/coupling.js'
import type { Layer } from '../bijector/layer.js'
import { luLinear } from '../bijector/lu-linear.js'
import { halves } from '../bijector/mask.js'
import { actNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import { flip } from '../bijector/rearrange.js'
import { reverse } from '../bijector/reverse.js'
import type { Transformer } from '../bijector/transformer.js'
import { affine } from '../bijector/transformers/affine.js'
import { type SigmoidalOptions, sigmoidal } from '../bijector/transformers/sigmoidal.js'
import { spline } from '../bijector/transformers/spline.js'
import { mlp } from '../nn/mlp.js'
import { count } from '../tensor/options.js'
import { type AnyLayer, stack } from './stack.js'

export interface MafOptions extends AutoregressiveOptions {
  /** How many autoregressive layers, in alternating order of the variables. Default: 5 */
  readonly layers?: number
  /** How a variable changes. Default: affine */
  readonly transformer?: Transformer
}

/** Layers in alternating order, with ActNorm after each. */
const alternating = (name: string, layers: number, make: () => AnyLayer): Layer<SameVector> =>
  withOptions(name, [count('layers', layers)], () =>
    stack<SameVector>(Array.from({ length: layers }, (_, i) => [...(i > 0 ? [flip] : []), make(), actNorm]).flat()),
  )

/**
 * A masked autoregressive flow (Papamakarios et al. 2017): autoregressive layers in alternating order of the variables,
 * ActNorm after each, where the authors have batch norm. Densities take one pass of each net; a sample goes through the
 * variables in turn. In a conditional flow, every net sees the context.
 *
 * @example
 * const tabular = density([6], maf({ layers: 5, hidden: [128, 128] }))
 */
export const maf = ({ layers = 5, transformer = affine(), ...options }: MafOptions = {}): Layer<SameVector> =>
  alternating('maf', layers, () => autoregressiveOf(transformer)(options))

/**
 * An inverse autoregressive flow (Kingma et al. 2016): the layers of {@link maf} reversed. A sample takes one pass of each
 * net, which suits variational inference; the density of other points goes through the variables in turn.
 *
 * @example
 * const posterior = flow(atShape([2], iaf()), standardNormal)
 * const elbo = reverseKl(posterior, (x) => T.neg(T.sumEvent(T.square(x))))
 */
export const iaf = ({ layers = 5, transformer = affine(), ...options }: MafOptions = {}): Layer<SameVector> =>
  alternating('iaf', layers, () => reverse(autoregressiveOf(transformer)(options)))

export interface NafOptions extends AutoregressiveOptions, Pick<SigmoidalOptions, 'units'> {
  /** How many autoregressive layers, in alternating order of the variables. Default: 5 */
  readonly layers?: number
  /** Layers of sigmoids that bend each variable. Default: 2 */
  readonly depth?: number
}

/**
 * A neural autoregressive flow (Huang et al. 2018): {@link maf} whose variables bend by deep sigmoidal nets. It is universal,
 * and slower than splines: a sample needs a root for each variable and layer of sigmoids. Starts near the identity, and at it
 * for one unit.
 *
 * @example
 * const tabular = density([6], naf({ layers: 3, units: 8, hidden: [128, 128] }))
 */
export const naf = ({ layers = 5, units = 4, depth = 2, ...options }: NafOptions = {}): Layer<SameVector> =>
  alternating('naf', layers, () => autoregressiveOf(sigmoidal({ units, layers: depth }))(options))

export interface NsfOptions extends MafOptions {
  /** Whether the layers are autoregressive, or couplings over alternating halves. Default: false */
  readonly autoregressive?: boolean
}

/**
 * A neural spline flow (Durkan et al. 2019, §3.3): in each layer ActNorm, a linear map by LU decomposition, and
 * rational-quadratic splines as coupling or autoregressive layer. The splines live on [−3, 3], where ActNorm puts the data.
 *
 * @example
 * const tabular = density([6], nsf({ transformer: Transformers.spline({ bins: 16 }) }))
 */
export const nsf = ({
  layers = 5,
  transformer = spline(),
  autoregressive = false,
  hidden = [64, 64],
  activation = 'relu',
}: NsfOptions = {}): Layer<SameVector> => {
  const net = mlp({ hidden, activation })
  const bend = (i: number): AnyLayer =>
    autoregressive
      ? autoregressiveOf(transformer)({ hidden, activation })
      : couplingOf(transformer)(halves(i % 2 === 0 ? 'first' : 'second'), net)
  return withOptions('nsf', [count('layers', layers)], () =>
    stack<SameVector>(Array.from({ length: layers }, (_, i) => [actNorm, luLinear({ seed: i }), bend(i)]).flat()),
  )
}
