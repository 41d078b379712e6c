// Two parts at different contexts.
import { atShape, compose, coupling, halves, input, mlp, realNvpVector } from 'diffeo'

export const b = compose(
  input([2], { given: [10] }),
  coupling(halves(), mlp()),
  atShape([2], realNvpVector(), { given: [4] }),
)
