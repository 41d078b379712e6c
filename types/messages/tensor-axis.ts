// Axis 3 of a tensor with axes 0 to 2.
import { T, type Tensor } from 'diffeo'

declare const x: Tensor<readonly ['N', 8, 3]>
export const y = T.meanAxis(3)(x)
