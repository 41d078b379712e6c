// A flow in the style of Glow (Kingma and Dhariwal 2018): 3 scales of 32 steps of 3 layers, 294 layers in all.
import {
  actNorm,
  type Bijector,
  channelwise,
  compose,
  coupling,
  factorOut,
  flip,
  input,
  logit,
  repeat,
  resnet,
  squeeze,
} from 'diffeo'

const step = compose(actNorm, flip, coupling(channelwise(), resnet()))
const scale = compose(squeeze, repeat(32, step), factorOut)

export const glow: Bijector<
  readonly [32, 32, 3],
  readonly [readonly [16, 16, 6], readonly [8, 8, 12], readonly [4, 4, 48]]
> = compose(input([32, 32, 3]), logit(), scale, scale, squeeze, repeat(32, step))
