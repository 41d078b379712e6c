// A premade flow over vectors, applied to images.
import { compose, input, realNvpVector } from 'diffeo'

export const b = compose(input([28, 28, 1]), realNvpVector())
