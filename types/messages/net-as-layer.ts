// A net is not a layer; coupling(mask, net) is.
import { compose, input, resnet, squeeze } from 'diffeo'

export const a = compose(input([28, 28, 1]), resnet(), squeeze)
