// A bias of another width.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 128]>
declare const b: Tensor<readonly [64]>
export const y = T.bias(b)(x)
