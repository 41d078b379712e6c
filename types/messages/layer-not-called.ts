// logit takes options, so it is a function.
import { compose, input, logit, squeeze } from 'diffeo'

export const a = compose(input([28, 28, 1]), logit, squeeze)
