// The height is odd after the first squeeze: the error is at the second, not at the layers around it.
import { actNorm, checkerboard, compose, coupling, input, resnet, squeeze } from 'diffeo'

export const b = compose(input([30, 30, 3]), coupling(checkerboard(), resnet()), squeeze, actNorm, squeeze, actNorm)
