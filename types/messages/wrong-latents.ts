// The annotation has one latent, the flow three.
import { channelwise, checkerboard, compose, coupling, factorOut, input, resnet, squeeze } from 'diffeo'

const net = resnet()
const scale = compose(coupling(checkerboard(), net), squeeze, coupling(channelwise(), net), factorOut)
const b = compose(input([32, 32, 3]), scale, scale, coupling(checkerboard(), net))
export const z: readonly [8, 8, 12] = b.codomain
