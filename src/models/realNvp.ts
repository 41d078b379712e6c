/**
 * Real NVP (Dinh et al. 2016) for vectors and images, made only of public parts.
 *
 * @module
 */
import * as E from 'fp-ts/lib/Either.js'
import type { Same, Shape } from '../../types/shape.js'
import { compose } from '../bijector/compose.js'
import { coupling } from '../bijector/coupling.js'
import { type LogitOptions, logit } from '../bijector/elementwise.js'
import type { AnyBijector, Bijector, Layer } from '../bijector/layer.js'
import { channelwise, checkerboard, halves } from '../bijector/mask.js'
import { actNorm, batchNorm } from '../bijector/norm.js'
import { factorOut, ordered, squeeze } from '../bijector/rearrange.js'
import { type DiffeoError, orThrow, shapeError } from '../error.js'
import type { Norm } from '../nn/conv.js'
import { mlp } from '../nn/mlp.js'
import { resnet } from '../nn/resnet.js'
import { show } from '../tensor/shape.js'

export interface RealNvpOptions {
  /** How often the image is squeezed and half of it factored out, plus one. Default 2 */
  readonly scales?: number
  /** Hidden channels at the first scale; they double at each. Default 32 */
  readonly width?: number
  /** Residual blocks of each net. Default 4 */
  readonly blocks?: number
  /** Normalisation inside the nets. Default batch */
  readonly norm?: Norm
  /** Normalisation on the path, after each coupling. Default actNorm */
  readonly path?: 'actNorm' | 'batchNorm' | 'none'
  readonly logit?: LogitOptions
}

/**
 * The multi-scale Real NVP of an image shape, from pixels in [0, 256): per scale 3 checkerboard couplings, squeeze,
 * 3 channel couplings, factor out in the authors' order; at the last scale 4 checkerboard couplings.
 *
 * @example
 * const model = realNvpImage([28, 28, 1], { scales: 2, width: 16, blocks: 2 }) // Either<DiffeoError, Bijector>
 */
export const realNvpImage = (
  shape: Shape,
  {
    scales = 2,
    width = 32,
    blocks = 4,
    norm = 'batch',
    path = 'actNorm',
    logit: logitOptions = {},
  }: RealNvpOptions = {},
): E.Either<DiffeoError, AnyBijector> => {
  const side = 2 ** (scales - 1)
  if (shape.length !== 3 || shape[0]! % side !== 0 || shape[1]! % side !== 0)
    return E.left(shapeError('realNvp', `an image whose sides divide by ${side} for ${scales} scales`, show(shape)))
  type AnyLayer = Layer<never>
  const after: AnyLayer[] = path === 'none' ? [] : [(path === 'actNorm' ? actNorm : batchNorm()) as AnyLayer]
  const net = (scale: number) => resnet({ width: width * 2 ** scale, blocks, norm })
  const checks = (n: number, scale: number): AnyLayer[] =>
    Array.from({ length: n }, (_, i) => [
      coupling(checkerboard(i % 2 === 0 ? 'even' : 'odd'), net(scale)) as AnyLayer,
      ...after,
    ]).flat()
  const channels = (n: number, scale: number): AnyLayer[] =>
    Array.from({ length: n }, (_, i) => [
      coupling(channelwise(i % 2 === 0 ? 'first' : 'second'), net(scale)) as AnyLayer,
      ...after,
    ]).flat()
  const layers: AnyLayer[] = [
    logit(logitOptions) as AnyLayer,
    ...Array.from({ length: scales - 1 }, (_, scale) => [
      ...checks(3, scale),
      squeeze as AnyLayer,
      ...channels(3, scale + 1),
      ordered as AnyLayer,
      factorOut as AnyLayer,
    ]).flat(),
    ...checks(4, scales - 1),
  ]
  return (compose(...(layers as never[])) as unknown as AnyLayer).at(shape)
}

/**
 * Real NVP for vectors: `couplings` affine couplings over alternating halves, with ActNorm between.
 *
 * @example
 * const moons = flow(realNvpVector(2, { couplings: 8, hidden: [64, 64] }), standardNormal)
 */
export const realNvpVector = <D extends number>(
  size: D,
  { couplings = 8, hidden = [64, 64] }: { readonly couplings?: number; readonly hidden?: readonly number[] } = {},
) => {
  const net = mlp({ hidden })
  const pair = compose(coupling(halves('first'), net), coupling(halves('second'), net), actNorm)
  const pairs = Array.from({ length: Math.ceil(couplings / 2) }, () => pair)
  const whole: Layer<Same> = compose(...(pairs as never[])) as never
  return orThrow(whole.at([size])) as unknown as Bijector<readonly [D], readonly [D]>
}
