// The mask is a function that returns one.
import { checkerboard, coupling, resnet } from 'diffeo'

export const wrong = coupling(checkerboard, resnet())
