// A premade flow of vectors at an image.
import { compose, input, realNvpVector } from 'diffeo'

export const b = compose(input([28, 28, 1]), realNvpVector())
