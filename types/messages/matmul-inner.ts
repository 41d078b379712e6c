// 784 inputs, a matrix with 128 rows.

import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

declare const x: Tensor<readonly ['N', 784]>
declare const w: Tensor<readonly [128, 10]>
export const y = pipe(x, T.matmul(w))
