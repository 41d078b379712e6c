// An odd height only after the first squeeze: the second one is wrong, not the layers around it.
import { actNorm, checkerboard, compose, coupling, input, resnet, squeeze } from 'diffeo'

export const b = compose(input([30, 30, 3]), coupling(checkerboard(), resnet()), squeeze, actNorm, squeeze, actNorm)
