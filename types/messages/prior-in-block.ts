// A block without a shape has no place for a prior either.
import { actNorm, compose, standardNormal } from 'diffeo'

export const a = compose(actNorm, standardNormal)
