// A generic net is proved in its own body: its two matrices are in the wrong order.

import { T, type Tensor } from 'diffeo'
import { pipe } from 'fp-ts/lib/function.js'

export const net =
  <I extends number, H extends number, O extends number>(a: Tensor<readonly [I, H]>, b: Tensor<readonly [H, O]>) =>
  (x: Tensor<readonly ['N', I]>): Tensor<readonly ['N', O]> =>
    pipe(x, T.matmul(b), T.matmul(a))
