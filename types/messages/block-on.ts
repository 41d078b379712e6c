// A block at a shape that its third layer cannot squeeze.
import { atShape, compose, squeeze } from 'diffeo'

export const b = atShape([28, 28, 1], compose(squeeze, squeeze, squeeze))
