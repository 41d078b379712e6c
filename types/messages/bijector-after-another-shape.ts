// A bijector stands at its own shape, whatever comes before.
import { compose, factorOut, input, on, squeeze } from 'diffeo'

const rest = on([32, 32, 3], compose(squeeze, factorOut))
export const b = compose(input([28, 28, 1]), squeeze, squeeze, rest)
