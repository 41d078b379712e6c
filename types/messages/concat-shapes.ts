// Images of two sizes cannot be concatenated along the channels.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 16, 16, 6]>
declare const y: Tensor<readonly ['N', 8, 8, 6]>
export const z = T.concat(y)(x)
