// Two parts at different contexts.
import { compose, coupling, halves, input, mlp, on, realNvpVector } from 'diffeo'

export const b = compose(
  input([2], { given: [10] }),
  coupling(halves(), mlp()),
  on([2], realNvpVector(), { given: [4] }),
)
