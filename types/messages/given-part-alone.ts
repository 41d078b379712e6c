// A conditional part in a flow without context.
import { compose, coupling, halves, input, mlp, on, realNvpVector } from 'diffeo'

export const b = compose(input([2]), coupling(halves(), mlp()), on([2], realNvpVector(), { given: [4] }))
