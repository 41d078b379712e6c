// An annotation does not make a squeeze keep its shape.
import { type Layer, type Same, squeeze } from 'diffeo'

export const layer: Layer<Same> = squeeze
