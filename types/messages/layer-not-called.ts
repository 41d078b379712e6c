// logit takes options, so it has to be called.
import { compose, input, logit, squeeze } from 'diffeo'

export const a = compose(input([28, 28, 1]), logit, squeeze)
