// A prior is not a layer in a block without a shape, either.
import { actNorm, compose, standardNormal } from 'diffeo'

export const a = compose(actNorm, standardNormal)
