// A layer repeated zero times.
import { actNorm, compose, input, repeat } from 'diffeo'

export const a = compose(input([2]), repeat(0, actNorm))
