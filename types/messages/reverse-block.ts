// A layer that changes the shape has to be put at one before it can be reversed.
import { reverse, squeeze } from 'diffeo'

export const layer = reverse(squeeze)
