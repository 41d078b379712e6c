// The base is a function that returns one.
import { actNorm, density, uniformBox } from 'diffeo'

export const wrong = density([2], actNorm, uniformBox)
