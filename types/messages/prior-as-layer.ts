// A prior is not a layer.
import { compose, input, squeeze, standardNormal } from 'diffeo'

export const b = compose(input([4, 4, 1]), squeeze, standardNormal)
