// The fourth of three channels.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 6, 3]>
export const a = T.gather([0, 3], 3)(x)
