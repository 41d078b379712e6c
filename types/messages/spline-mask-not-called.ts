// The mask is a function that returns one.
import { halves, mlp, splineCoupling } from 'diffeo'

export const wrong = splineCoupling(halves, mlp())
