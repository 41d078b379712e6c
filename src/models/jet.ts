/**
 * Jet (Kolesnikov et al. 2024) for images, made only of public parts.
 *
 * @module
 */
import type { Apply, Latents, Shape, ShapeError, ShapeFn, Squeeze } from '../../types/shape.js'
import { coupling } from '../bijector/coupling.js'
import { type LogitOptions, logit } from '../bijector/elementwise.js'
import type { Layer } from '../bijector/layer.js'
import { channelwise, checkerboard } from '../bijector/mask.js'
import { withOptions } from '../bijector/options.js'
import { squeeze } from '../bijector/rearrange.js'
import { type VitOptions, vit } from '../nn/vit.js'
import { count } from '../tensor/options.js'
import { type AnyLayer, stack } from './stack.js'

/** The shape after `N` squeezes. */
type Squeezed<S, N extends number, Done extends readonly unknown[] = readonly []> = number extends N
  ? Latents
  : Done['length'] extends N
    ? S
    : Apply<Squeeze, S> extends infer Q
      ? Q extends ShapeError<string>
        ? Q
        : Q extends Shape
          ? Squeezed<Q, N, readonly [...Done, unknown]>
          : never
      : never
/** H×W×C → H/2ᴺ × W/2ᴺ × 4ᴺC */
export interface SqueezedTimes<N extends number> extends ShapeFn {
  readonly out: Squeezed<this['in'], N>
}

export interface JetOptions<N extends number> extends VitOptions {
  /** How often the image is squeezed: patches of 2ᴺ × 2ᴺ pixels become tokens. Default: 2 */
  readonly squeezes?: N
  /** Couplings; of each four, two split the channels and two the positions. Default: 16 */
  readonly couplings?: number
  readonly logit?: LogitOptions
}

/**
 * Jet for images with pixels in [0, 256): logit, patches as tokens, then affine couplings whose nets are vision
 * transformers, over halves of the channels and over alternating positions in turn. No multi-scale structure, no ActNorm,
 * no invertible convolutions: the authors found none of them needed. Their model for 64×64 has 256 couplings of width 512.
 *
 * @example
 * const model = atShape([32, 32, 3], jet({ couplings: 8, width: 32 })) // Bijector<[32, 32, 3], [8, 8, 48]>
 */
export const jet = <const N extends number = 2>({
  squeezes = 2 as N,
  couplings = 16,
  width = 64,
  depth = 2,
  heads = 4,
  logit: logitOptions = {},
}: JetOptions<N> = {}): Layer<SqueezedTimes<N>> =>
  withOptions('jet', [count('squeezes', squeezes), count('couplings', couplings)], () => {
    const net = vit({ width, depth, heads })
    const masks = [channelwise(), channelwise('second'), checkerboard(), checkerboard('odd')]
    const layers: readonly AnyLayer[] = Array.from({ length: couplings }, (_, i) => coupling(masks[i % 4]!, net))
    return stack<SqueezedTimes<N>>([
      logit(logitOptions),
      ...Array.from({ length: squeezes }, (): AnyLayer => squeeze),
      ...layers,
    ])
  })
