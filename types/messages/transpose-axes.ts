// An order of two axes for an image.
import { compose, input, transpose } from 'diffeo'

export const b = compose(input([28, 28, 1]), transpose([1, 0]))
