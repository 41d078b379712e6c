// A vector has no height.
import { compose, flatten, input, squeeze } from 'diffeo'

export const b = compose(input([64, 64, 3]), flatten, squeeze)
