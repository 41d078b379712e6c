// An error three blocks deep.
import { compose, input, squeeze } from 'diffeo'

const twice = compose(squeeze, squeeze)
const four = compose(twice, twice)
export const b = compose(input([32, 32, 1]), four, compose(twice, four))
