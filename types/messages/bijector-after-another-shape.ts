// A bijector accepts only its domain.
import { atShape, compose, factorOut, input, squeeze } from 'diffeo'

const tail = atShape([32, 32, 3], compose(squeeze, factorOut))
export const b = compose(input([28, 28, 1]), squeeze, squeeze, tail)
