// The Real NVP of the paper for 64×64 images, layer by layer.
import {
  actNorm,
  channelwise,
  checkerboard,
  compose,
  coupling,
  factorOut,
  flow,
  input,
  logit,
  ordered,
  resnet,
  squeeze,
  standardNormal,
} from 'diffeo'

const net = resnet()
const [even, odd] = [coupling(checkerboard(), net), coupling(checkerboard('odd'), net)]
const [first, second] = [coupling(channelwise(), net), coupling(channelwise('second'), net)]
const scale = compose(even, actNorm, odd, actNorm, even, actNorm, squeeze, first, second, first, ordered, factorOut)

const model = compose(input([64, 64, 3]), logit(), scale, scale, scale, scale, even, odd, even, odd)
export const z: readonly [
  readonly [32, 32, 6],
  readonly [16, 16, 12],
  readonly [8, 8, 24],
  readonly [4, 4, 48],
  readonly [4, 4, 48],
] = model.codomain
export const density = flow(model, standardNormal)
