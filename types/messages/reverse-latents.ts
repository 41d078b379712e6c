// Several latents are no event shape to start from.
import { compose, factorOut, input, reverse, squeeze } from 'diffeo'

export const b = reverse(compose(input([32, 32, 3]), squeeze, factorOut))
