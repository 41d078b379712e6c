// An odd height cannot be squeezed.
import { density, squeeze } from 'diffeo'

export const wrong = density([7, 8, 1], squeeze)
