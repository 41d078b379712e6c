// A mask splits; a coupling makes a bijector of it.
import { checkerboard, compose, input } from 'diffeo'

export const a = compose(input([28, 28, 1]), checkerboard())
