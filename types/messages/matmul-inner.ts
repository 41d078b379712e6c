// 784 inputs, a matrix with 128 rows.

import { T, type Tensor } from 'diffeo'
import { pipe } from 'fp-ts/lib/function.js'

declare const x: Tensor<readonly ['N', 784]>
declare const w: Tensor<readonly [128, 10]>
export const y = pipe(x, T.matmul(w))
