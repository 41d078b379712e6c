/**
 * Flow++ (Ho et al. 2019) for images, made only of public parts.
 *
 * @module
 */
import { couplingOf } from '../bijector/coupling.js'
import { type LogitOptions, logit } from '../bijector/elementwise.js'
import type { Layer } from '../bijector/layer.js'
import { luLinear } from '../bijector/lu-linear.js'
import { channelwise, checkerboard } from '../bijector/mask.js'
import { actNorm } from '../bijector/norm.js'
import { withOptions } from '../bijector/options.js'
import { squeeze } from '../bijector/rearrange.js'
import { type MixtureOptions, mixture } from '../bijector/transformers/mixture.js'
import { resnet } from '../nn/resnet.js'
import { count } from '../tensor/options.js'
import type { SqueezedTimes } from './jet.js'
import { type AnyLayer, stack } from './stack.js'

export interface FlowPlusPlusOptions extends MixtureOptions {
  /** Pairs of couplings over checkerboards before the squeeze, and as many after the couplings over channels. Default: 2 */
  readonly checkers?: number
  /** Pairs of couplings over halves of the channels, after the squeeze. Default: 1 */
  readonly channels?: number
  /** Channels of each net. Default: 32 */
  readonly width?: number
  /** Residual blocks of each net. Default: 2 */
  readonly blocks?: number
  readonly logit?: LogitOptions
}

/**
 * Flow++ for images with pixels in [0, 256): logit, couplings over checkerboards, squeeze, couplings over channels and over
 * checkerboards. A variable bends by the logit of the CDF of a mixture of logistics. ActNorm and a 1×1 convolution precede
 * each pair over checkerboards and each coupling over channels. Nothing is factored out. The nets are residual; the authors'
 * are gated convolutions with attention, with 32 components. For vectors: `nsf({ transformer: Transformers.mixture() })`.
 *
 * @example
 * const model = atShape([32, 32, 3], flowPlusPlus({ components: 8, width: 64 })) // Bijector<[32, 32, 3], [16, 16, 12]>
 */
export const flowPlusPlus = ({
  checkers = 2,
  channels = 1,
  components = 4,
  width = 32,
  blocks = 2,
  logit: logitOptions = {},
}: FlowPlusPlusOptions = {}): Layer<SqueezedTimes<1>> => {
  const options = [
    count('pairs of checkerboards', checkers),
    count('pairs of channels', channels),
    count('hidden channels', width),
    count('blocks', blocks),
  ]
  return withOptions('flowPlusPlus', options, () => {
    const over = couplingOf(mixture({ components }))
    const net = resnet({ width, blocks, norm: 'instance' })
    const checks = (seed: number): readonly AnyLayer[] => [
      actNorm,
      luLinear({ seed }),
      over(checkerboard(), net),
      over(checkerboard('odd'), net),
    ]
    const halves = (seed: number): readonly AnyLayer[] =>
      (['first', 'second'] as const).flatMap((part, i): readonly AnyLayer[] => [
        actNorm,
        luLinear({ seed: seed + i }),
        over(channelwise(part), net),
      ])
    return stack<SqueezedTimes<1>>([
      logit(logitOptions),
      ...Array.from({ length: checkers }, (_, i) => checks(i)).flat(),
      squeeze,
      ...Array.from({ length: channels }, (_, i) => halves(checkers + 2 * i)).flat(),
      ...Array.from({ length: checkers }, (_, i) => checks(checkers + 2 * channels + i)).flat(),
    ])
  })
}
