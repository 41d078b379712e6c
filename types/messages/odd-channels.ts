// Half of three channels.
import { channelwise, compose, coupling, input, resnet } from 'diffeo'

export const b = compose(input([32, 32, 3]), coupling(channelwise(), resnet()))
