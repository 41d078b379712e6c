// A dense net does not fit a mask over images.
import { checkerboard, compose, coupling, input, mlp } from 'diffeo'

export const b = compose(input([32, 32, 3]), coupling(checkerboard(), mlp()))
