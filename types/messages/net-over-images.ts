// A convolutional net does not fit a mask over vectors.
import { compose, coupling, halves, input, resnet } from 'diffeo'

export const b = compose(input([2]), coupling(halves(), resnet({ width: 8 })))
