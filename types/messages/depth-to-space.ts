// Six channels do not split into 2×2 squares.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 4, 4, 6]>
export const y = T.depthToSpace(x)
