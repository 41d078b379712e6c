// Three channels cannot be halved.
import { channelwise, compose, coupling, input, resnet } from 'diffeo'

export const b = compose(input([32, 32, 3]), coupling(channelwise(), resnet()))
