// Pieces that are not the whole.
import { compose, input, splitInto } from 'diffeo'

export const b = compose(input([12]), splitInto([2, 3]))
