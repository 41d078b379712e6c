// A flow of no steps is a count that went wrong.
import { actNorm, compose, input, repeat } from 'diffeo'

export const a = compose(input([2]), repeat(0, actNorm))
