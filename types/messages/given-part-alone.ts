// A conditional part in a flow without context.
import { atShape, compose, coupling, halves, input, mlp, realNvpVector } from 'diffeo'

export const b = compose(input([2]), coupling(halves(), mlp()), atShape([2], realNvpVector(), { given: [4] }))
