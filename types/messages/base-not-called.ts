// The base is a function that returns one.
import { compose, flow, input, uniformBox } from 'diffeo'

export const wrong = flow(compose(input([2])), uniformBox)
