// The second half of 6 channels starts at 3.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 8, 6]>
export const a = T.slice(4, 3)(x)
