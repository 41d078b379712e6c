// Half of three channels cannot be left behind.
import { compose, factorOut, input, logit } from 'diffeo'

export const b = compose(input([32, 32, 3]), logit(), factorOut)
