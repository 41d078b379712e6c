// A block at a shape that its third layer cannot squeeze.
import { compose, on, squeeze } from 'diffeo'

export const b = on([28, 28, 1], compose(squeeze, squeeze, squeeze))
