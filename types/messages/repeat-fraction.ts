// A layer repeated two and a half times.
import { flip, repeat } from 'diffeo'

export const a = repeat(2.5, flip)
