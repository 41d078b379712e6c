// A block whose first layer does not fit.
import { channelwise, checkerboard, compose, coupling, factorOut, input, resnet, squeeze } from 'diffeo'

const net = resnet()
const scale = compose(coupling(checkerboard(), net), squeeze, coupling(channelwise(), net), factorOut)
export const b = compose(input([31, 32, 3]), scale)
