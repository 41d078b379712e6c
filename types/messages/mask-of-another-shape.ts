// A user-defined mask fits one shape.
import { compose, coupling, input, mask, mlp } from 'diffeo'

const middle = mask([3], ([i]) => i === 1)
export const b = compose(input([4]), coupling(middle, mlp()))
