// A block without a shape, put at a shape that its third layer cannot take.
import { compose, on, squeeze } from 'diffeo'

export const b = on([28, 28, 1], compose(squeeze, squeeze, squeeze))
