// A bijector with several latents cannot be reversed: a domain is one shape.
import { compose, factorOut, input, reverse, squeeze } from 'diffeo'

export const b = reverse(compose(input([32, 32, 3]), squeeze, factorOut))
