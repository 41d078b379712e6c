/**
 * Affine families: y = x·exp(s) + t (Dinh et al. 2016, Eqs. 7–8), and y = x + t (NICE, Dinh et al. 2014).
 *
 * @module
 */
import { identity, pipe } from 'fp-ts/lib/function.js'
import { add, exp, mul, neg, scale, sub, sumEvent, tanh, zeroPerExample } from '../../tensor/ops.js'
import { oneOf } from '../../tensor/options.js'
import { constant, type ParamsOf, type Spec } from '../../tensor/params.js'
import type { AnyTensor } from '../../tensor/tensor.js'
import type { Transformer } from '../transformer.js'

export interface AffineOptions {
  /**
   * How s follows from its number a. `tanh`: s = scale·tanh(a), with a learned scale for each channel, which the L2 term
   * of the loss keeps small. `free`: s = a, without a bound. Default: `tanh`
   */
  readonly logScale?: 'tanh' | 'free'
}

const affineBy = <S extends Spec>(
  spec: Transformer<S>['spec'],
  logScale: (params: ParamsOf<S>) => (a: AnyTensor) => AnyTensor,
): Transformer<S> => ({
  name: 'affine',
  width: 2,
  spec,
  at: (params, { numbers, project }) => {
    const [a, shift] = numbers()
    const s = pipe(a!, logScale(params), project)
    const t = project(shift!)
    return {
      forward: (x) => [pipe(x, mul(exp(s)), add(t)), sumEvent(s)],
      inverse: (y) => [pipe(y, sub(t), mul(exp(neg(s)))), neg(sumEvent(s))],
    }
  },
})

const logScales: Record<'tanh' | 'free', Transformer> = {
  tanh: affineBy(
    (channels) => ({ scale: constant([channels], 1, 'scale') }),
    (params) => (a) => pipe(a, tanh, scale(params.scale)),
  ),
  free: affineBy(
    () => ({}),
    () => identity,
  ),
}

/**
 * The affine family. By default s = scale·tanh(a), bounded by a learned scale for each channel.
 *
 * - Forward: y = x·exp(s) + t
 * - Forward log-det: Σ s
 * - Inverse: x = (y − t)·exp(−s)
 * - Inverse log-det: −Σ s
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.affine({ logScale: 'free' }))())
 */
export const affine = ({ logScale = 'tanh' }: AffineOptions = {}): Transformer => ({
  ...(logScales[logScale] ?? logScales.tanh),
  options: [oneOf('logScale', logScale, Object.keys(logScales))],
})

/**
 * The additive family: it preserves volume.
 *
 * - Forward: y = x + t
 * - Forward log-det: 0
 * - Inverse: x = y − t
 * - Inverse log-det: 0
 *
 * @example compose(input([3]), autoregressiveOf(Transformers.additive())())
 */
export const additive = (): Transformer => ({
  name: 'additive',
  width: 1,
  spec: () => ({}),
  at: (_, { numbers, project }) => {
    const t = project(numbers()[0]!)
    return {
      forward: (x) => [add(t)(x), zeroPerExample(x)],
      inverse: (y) => [sub(t)(y), zeroPerExample(y)],
    }
  },
})
