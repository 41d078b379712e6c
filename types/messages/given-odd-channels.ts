// Shapes are checked as ever where there is a context.
import { channelwise, compose, coupling, input, resnet } from 'diffeo'

export const b = compose(input([4, 4, 3], { given: [10] }), coupling(channelwise(), resnet()))
