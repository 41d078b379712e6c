// Six channels in pieces of two and three.
import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'

declare const x: Tensor<readonly ['N', 8, 8, 6]>
export const [a, b] = T.split([2, 3])(x)
