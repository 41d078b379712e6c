// A condition of numbers.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 6, 3]>
export const a = T.where(x)(x)(x)
