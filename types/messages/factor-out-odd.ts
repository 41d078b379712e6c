// Three channels cannot be factored out in halves.
import { compose, factorOut, input, logit } from 'diffeo'

export const b = compose(input([32, 32, 3]), logit(), factorOut)
