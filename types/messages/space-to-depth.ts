// An odd width; the error names the tensor operation.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 7, 3]>
export const y = T.spaceToDepth(x)
