// A generic net is type-checked in its body: here its two matrices are swapped.

import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

export const net =
  <I extends number, H extends number, O extends number>(a: Tensor<readonly [I, H]>, b: Tensor<readonly [H, O]>) =>
  (x: Tensor<readonly ['N', I]>): Tensor<readonly ['N', O]> =>
    pipe(x, T.matmul(b), T.matmul(a))
