// The layer is a function that returns one.
import { density, realNvpVector } from 'diffeo'

export const wrong = density([2], realNvpVector)
