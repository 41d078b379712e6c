// 28 can be halved twice, not three times.
import { compose, input, repeat, squeeze } from 'diffeo'

export const a = compose(input([28, 28, 1]), repeat(3, squeeze))
