// Half of 5.
import { flip, repeat } from 'diffeo'

export const a = repeat(2.5, flip)
