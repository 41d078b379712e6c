// Axis 3 of a tensor with axes 0 to 2.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 3]>
export const y = T.meanAxis(3)(x)
