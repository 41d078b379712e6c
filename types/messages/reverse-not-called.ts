// The layer is a function that returns one.
import { normalCdf, reverse } from 'diffeo'

export const wrong = reverse(normalCdf)
