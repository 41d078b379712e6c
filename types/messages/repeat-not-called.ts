// The layer is a function that returns one.
import { logit, repeat } from 'diffeo'

export const wrong = repeat(3, logit)
