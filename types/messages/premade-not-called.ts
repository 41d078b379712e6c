// The layer is a function that returns one.
import { atShape, realNvpVector } from 'diffeo'

export const wrong = atShape([2], realNvpVector)
