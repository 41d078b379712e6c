// The slice ends after the last of 6 channels.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 8, 6]>
export const a = T.slice(4, 3)(x)
