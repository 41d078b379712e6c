// A bijector accepts only its domain.
import { compose, factorOut, input, on, squeeze } from 'diffeo'

const tail = on([32, 32, 3], compose(squeeze, factorOut))
export const b = compose(input([28, 28, 1]), squeeze, squeeze, tail)
