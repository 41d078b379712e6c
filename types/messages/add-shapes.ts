// Nothing is broadcast silently.

import type { Tensor } from 'diffeo/tensor'
import * as T from 'diffeo/tensor'
import { pipe } from 'fp-ts/lib/function.js'

declare const x: Tensor<readonly ['N', 32, 32, 3]>
declare const y: Tensor<readonly ['N', 32, 32, 1]>
export const z = pipe(x, T.add(y))
