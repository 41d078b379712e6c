// Three axes in the order, four in the tensor.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 32, 16, 3]>
export const y = T.transpose([0, 2, 1])(x)
