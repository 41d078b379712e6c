// The base comes after the bijector.
import { compose, flow, input, standardNormal } from 'diffeo'

export const wrong = flow(standardNormal, compose(input([2])))
