// A layer that changes the shape needs a shape before it can be reversed.
import { reverse, squeeze } from 'diffeo'

export const layer = reverse(squeeze)
