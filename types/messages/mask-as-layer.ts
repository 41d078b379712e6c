// A mask is not a layer; coupling(mask, net) is.
import { checkerboard, compose, input } from 'diffeo'

export const a = compose(input([28, 28, 1]), checkerboard())
