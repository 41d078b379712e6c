// The fifth of six scales gets an odd height.
import { channelwise, checkerboard, compose, coupling, factorOut, input, resnet, squeeze } from 'diffeo'

const net = resnet()
const scale = compose(coupling(checkerboard(), net), squeeze, coupling(channelwise(), net), factorOut)
export const b = compose(input([48, 48, 3]), scale, scale, scale, scale, scale, scale)
