// A squeeze is no layer that keeps the shape, whoever says so.
import { type Layer, type Same, squeeze } from 'diffeo'

export const layer: Layer<Same> = squeeze
