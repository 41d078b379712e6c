// A checkerboard needs an image.
import { checkerboard, compose, coupling, input, resnet } from 'diffeo'

export const b = compose(input([784]), coupling(checkerboard(), resnet()))
