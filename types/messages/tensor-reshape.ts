// 3,072 elements per example do not fit into 1,024.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 32, 32, 3]>
export const y = T.reshape([32, 32, 1])(x)
