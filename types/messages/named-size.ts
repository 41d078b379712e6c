// An event shape has sizes, not names.
import { input } from 'diffeo'

export const b = input(['N', 32, 32, 3])
