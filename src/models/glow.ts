/**
 * Glow (Kingma & Dhariwal 2018) for images, made only of public parts.
 *
 * @module
 */
import type { Apply, FactorOut, Latents, Shape, ShapeError, ShapeFn, Squeeze } from '../../types/shape.js'
import { coupling } from '../bijector/coupling.js'
import { type LogitOptions, logit } from '../bijector/elementwise.js'
import type { Layer } from '../bijector/layer.js'
import { luLinear } from '../bijector/lu-linear.js'
import { channelwise } from '../bijector/mask.js'
import { actNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import { factorOut, squeeze } from '../bijector/rearrange.js'
import type { AffineOptions } from '../bijector/transformers/affine.js'
import { convNet } from '../nn/resnet.js'
import { count } from '../tensor/options.js'
import { type AnyLayer, stack } from './stack.js'

/** The latents of `N` scales: each squeezes, each but the last factors out half. */
type SqueezedLatents<
  S,
  N extends number,
  Left extends readonly Shape[] = readonly [],
  Done extends readonly unknown[] = readonly [unknown],
> = number extends N
  ? Latents
  : Apply<Squeeze, S> extends infer Q
    ? Q extends ShapeError<string>
      ? Q
      : Done['length'] extends N
        ? Left extends readonly []
          ? Q
          : readonly [...Left, Q]
        : Apply<FactorOut, Q> extends readonly [infer Z extends Shape, infer H]
          ? SqueezedLatents<H, N, readonly [...Left, Z], readonly [...Done, unknown]>
          : Apply<FactorOut, Q>
    : never
/** H×W×C → (H/2×W/2×2C, …, h×w×4c): one latent for each of `N` scales, all of them squeezed */
export interface SqueezedScales<N extends number> extends ShapeFn {
  readonly out: SqueezedLatents<this['in'], N>
}

export interface GlowOptions<N extends number> {
  /** L, how often the image is squeezed; half of it is factored out after each scale but the last. Default: 2 */
  readonly scales?: N
  /** K, the steps of each scale: ActNorm, 1×1 convolution, affine coupling. Default: 8 */
  readonly steps?: number
  /** Channels of the two hidden layers of each net. Default: 64 */
  readonly width?: number
  /** How the log scales of the couplings are bounded: see {@link AffineOptions}. Default: tanh */
  readonly logScale?: AffineOptions['logScale']
  readonly logit?: LogitOptions
}

/**
 * Glow for images with pixels in [0, 256): logit; per scale squeeze, then K steps of ActNorm, 1×1 convolution by LU
 * decomposition and affine coupling, then factor out half of the channels. The authors use 3 scales of 32 steps and nets of
 * 512 channels for images of 32×32, without logit.
 *
 * @example
 * const model = atShape([32, 32, 3], glow({ scales: 3, steps: 4, width: 32 }))
 * // Bijector<[32, 32, 3], [[16, 16, 6], [8, 8, 12], [4, 4, 48]]>
 */
export const glow = <const N extends number = 2>({
  scales = 2 as N,
  steps = 8,
  width = 64,
  logScale = 'tanh',
  logit: logitOptions = {},
}: GlowOptions<N> = {}): Layer<SqueezedScales<N>> => {
  const options = [count('scales', scales), count('steps', steps), count('hidden channels', width)]
  return withOptions('glow', options, () => {
    const net = convNet({ hidden: [width, width] })
    const step = (seed: number): readonly AnyLayer[] => [
      actNorm,
      luLinear({ seed }),
      coupling(channelwise(), net, { logScale }),
    ]
    return stack<SqueezedScales<N>>([
      logit(logitOptions),
      ...Array.from({ length: scales }, (_, scale) => [
        squeeze,
        ...Array.from({ length: steps }, (_, i) => step(scale * steps + i)).flat(),
        ...(scale < scales - 1 ? [factorOut] : []),
      ]).flat(),
    ])
  })
}
